/** What few clients need, or seldom (claims.ts): what makes claims and asks for them, and what follows the manifest. */
import { Later } from './later.js';

export const claiming = new Later(() => import('./claims.js'));
