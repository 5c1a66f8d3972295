/** What judges, and verifies openings: at once, so in browsers with noble. A file of its own there, loaded when it is first needed. */
import { Later } from './later.js';

export const judging = new Later(() => import('../protocol/evidence/index.js'));
