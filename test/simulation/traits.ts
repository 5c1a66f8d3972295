/** What a seed's run has, known before it is run: to look where a fault can show. */
import { Operator } from './operator.js';
import { type Profile, profileOf } from './profile.js';
import { Random } from './random.js';

const TRAITS = {
  /** Numbers of actors change. */
  moves: (_: Profile, { isMoving }: Operator) => isMoving,
  /** Keys are changed. */
  rotations: (_: Profile, { isRotating }: Operator) => isRotating,
  /** The processes of clients die. */
  'client-deaths': ({ clientCrashMs }: Profile) => clientCrashMs > 0,
  /** One key is used from two places. */
  rivals: ({ rivalMs }: Profile) => rivalMs > 0,
};
export type Trait = keyof typeof TRAITS;

export const isTrait = (text: string): text is Trait => Object.hasOwn(TRAITS, text);
export const TRAIT_NAMES = Object.keys(TRAITS).join(', ');

export function hasTraits(seed: number, traits: readonly Trait[]): boolean {
  if (traits.length === 0) return true;
  const [profile, operator] = [profileOf(new Random(seed)), new Operator(seed)];
  return traits.every((trait) => TRAITS[trait](profile, operator));
}
