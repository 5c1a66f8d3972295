import { CHEATS } from './cheats.js';
import { play } from './play.js';

const only = process.argv[2];
const say = (checks: boolean) => {
  for (const cheat of CHEATS) {
    if (only && !`${cheat.role} ${cheat.name}`.includes(only)) continue;
    const t = Date.now();
    try {
      const end = play([cheat], checks, [`${cheat.role} 0`]);
      const v = (a: typeof end.clients) =>
        a
          ? `${a.verdict.outcome} ${'role' in a.verdict ? `${a.verdict.role}.${a.verdict.index}` : ''} ${'rule' in a.verdict ? a.verdict.rule : ''} ${a.evidence.length}B`
          : '-';
      console.log(
        checks ? 'checked  ' : 'unchecked',
        `${cheat.role}: ${cheat.name}`.padEnd(48),
        end.theatre.stopped ? `stopped by ${end.theatre.stopped.who}: ${end.theatre.stopped.what}` : 'ran',
        '| clients',
        v(end.clients),
        '| opened',
        v(end.opened),
        end.openings,
        `${Date.now() - t} ms`,
      );
    } catch (error) {
      console.log(
        checks ? 'checked  ' : 'unchecked',
        `${cheat.role}: ${cheat.name}`.padEnd(48),
        'FAILED',
        (error as Error).stack?.split('\n').slice(0, 4).join(' | '),
      );
    }
  }
};
const honest = play([], true);
console.log('honest', honest.clients?.verdict, honest.opened?.verdict, honest.theatre.stopped);
const honest2 = play([], false);
console.log('honest', honest2.clients?.verdict, honest2.opened?.verdict, honest2.theatre.stopped);
say(false);
say(true);
