/** What makes claims and asks for them (claims.ts): needed in a dispute, and by who keeps them. */
import { Later } from './later.js';

export const claiming = new Later(() => import('./claims.js'));
