import { FormatError } from './bytes.js';
import { type Field, field } from './fields.js';

/** Length 4 ‖ so many bytes, at most `max`. */
export function blob(max: number): Field<Uint8Array> {
  return field(
    (from) => {
      const length = from.u32();
      if (length > max) throw new FormatError(`${length} bytes, at most ${max} allowed`);
      return from.bytes(length);
    },
    (to, value) => to.u32(value.length).bytes(value),
    { fixed: null },
  );
}
