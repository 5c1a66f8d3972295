/** Evidence about previous places, rule 20: guilty and innocent variants, all with true signatures unless it says so. */
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import { caseIn, type EvidenceCase, oneOf, rowOf } from './evidence-leaves.js';
import { type EvidenceWorld, openedOf, type Said, statementOf } from './evidence-world.js';

const { join, u8 } = twin;

/** Inbox 0 takes in three messages in epoch 5; the second of two rows of epoch 7 names a place. */
export function placeCases(world: EvidenceWorld): EvidenceCase[] {
  const rows = (n: number) => Array.from({ length: n }, (_, i) => rowOf(named(`row ${i}`)));
  const three = world.say(1, 0, 5n, oneOf(3, twin.inboxPages(rows(3))));
  const none = world.say(1, 0, 5n, oneOf(0, []));
  const behind = (index: number, inbox = 0, actor = 0) =>
    world.say(
      ...([1, actor, 7n] as const),
      oneOf(2, twin.inboxPages([rowOf(named('a')), rowOf(named('b'), { epoch: 5n, inbox, index })])),
    );
  const of = (name: string, expected: string, later: Said, earlier: Said, row = 1) =>
    caseIn(world)(name, 20, expected, [join(openedOf(later, 0, 0), u8(row), statementOf(earlier))]);
  const { leaves } = behind(3).made.outputs[0]!;
  const router = world.say(2, 0, 7n, oneOf(2, leaves));
  const loose = world.say(1, 0, 7n, oneOf(2, [Buffer.concat([leaves[0]!, u8(0)])]));
  const stolen = world.say(1, 0, 5n, { ...oneOf(0, []), secret: named('thief') });
  return [
    of('behind the last message of an epoch', 'actor 1.0', behind(3), three),
    of('far behind it', 'actor 1.0', behind(4_000_000_000), three),
    of('in an epoch without messages', 'actor 1.0', behind(0), none),
    of('in an epoch without an output', 'actor 1.0', behind(0), world.say(1, 0, 5n, { outputs: [] })),
    of('the last message of an epoch', 'nothing', behind(2), three),
    of('the first one', 'nothing', behind(0), three),
    of('a row without a previous place', 'nothing', behind(3), three, 0),
    of('no such row', 'nothing', behind(3), three, 2),
    of('by a statement about another epoch', 'nothing', behind(3), world.say(1, 0, 6n, oneOf(0, []))),
    of('by the statement of another inbox', 'nothing', behind(3), world.say(1, 1, 5n, oneOf(0, []))),
    of('by the router of that epoch', 'nothing', behind(3), world.say(2, 0, 5n, oneOf(0, []))),
    of('a place of another inbox', 'nothing', behind(3, 1), three),
    of(
      'of another inbox, by both of its statements',
      'actor 1.1',
      behind(0, 1, 1),
      world.say(1, 1, 5n, oneOf(0, [])),
    ),
    of('by a statement that the inbox has not signed', 'nothing', behind(3), stolen),
    of('a page of an inbox that a router has signed', 'nothing', router, world.say(2, 0, 5n, oneOf(0, []))),
    of('a page with a byte too many', 'nothing', loose, three),
    caseIn(world)('a page of another epoch', 20, 'nothing', [
      join(openedOf({ ...behind(3), made: three.made }, 0, 0), u8(1), statementOf(three)),
    ]),
  ];
}
