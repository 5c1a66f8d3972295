/** What sends (send.ts): who only reads never loads it. */
import { Later } from './later.js';

export type SendPart = typeof import('./send.js');

export const sending = new Later<SendPart>(() => import('./send.js'));
