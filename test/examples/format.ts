/**
 * Examples as they stand in docs/PROTOCOL.md:
 *
 *     ```example some-name
 *     a field = 00ff…       bytes as lower-case hexadecimal, going on in indented lines
 *     a text = "…"          text as a JSON string
 *     an object = {…}       JSON, going on in indented lines
 *     nothing = empty       no bytes
 *     ```
 */
export type Json = string | number | readonly Json[] | JsonObject;
export type JsonObject = { readonly [name: string]: Json };
export type Value = Uint8Array | string | JsonObject;
export type Example = Readonly<Record<string, Value>>;

const BLOCK = /^```example (\S+)\n([\s\S]*?)^```$/gm;
/** Hexadecimal digits in a line: 48 bytes. */
const WIDTH = 96;

function renderValue(name: string, value: Value): string {
  if (typeof value === 'string') return `${name} = ${JSON.stringify(value)}\n`;
  if (!(value instanceof Uint8Array)) return `${name} =\n  ${renderJson(value, '  ')}\n`;
  if (value.length === 0) return `${name} = empty\n`;
  const hex = Buffer.from(value).toString('hex');
  if (hex.length <= WIDTH) return `${name} = ${hex}\n`;
  const lines = hex.match(new RegExp(`.{1,${WIDTH}}`, 'g'))!;
  return `${name} =\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

/** On one line if it fits, else a member or item on each. */
function renderJson(value: Json, indent: string): string {
  const line = JSON.stringify(value);
  if (typeof value !== 'object' || line.length + indent.length <= WIDTH) return line;
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  const parts = Object.entries(value).map(([name, each]: [string, Json]) => {
    return `${inner}${isList ? '' : `${JSON.stringify(name)}: `}${renderJson(each, inner)}`;
  });
  const [open, close] = isList ? '[]' : '{}';
  return `${open}\n${parts.join(',\n')}\n${indent}${close}`;
}

/** The lines between the fences. */
export function render(example: Example): string {
  return Object.entries(example)
    .map(([name, value]) => renderValue(name, value))
    .join('');
}

function parseValue(text: string, where: string): Value {
  if (text === 'empty') return new Uint8Array(0);
  if (/^["{]/.test(text)) return JSON.parse(text) as string | JsonObject;
  const hex = text.replace(/\s/g, '');
  if (!/^([0-9a-f]{2})+$/.test(hex)) throw new Error(`${where}: not hexadecimal: ${text.slice(0, 40)}`);
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** Every example block of a document, by name. Throws on a name given twice or a line that is none. */
export function parseExamples(document: string): Map<string, Example> {
  const examples = new Map<string, Example>();
  for (const [, name, body] of document.matchAll(BLOCK)) {
    if (examples.has(name!)) throw new Error(`example ${name} stands there twice`);
    const lines = [...body!.replaceAll(/\n {2}/g, ' ').matchAll(/^(.*)$/gm)].map(([line]) => line);
    const pairs = lines.filter(Boolean).map((line): [string, Value] => {
      const match = /^([\w ]+?) = *(.+)$/.exec(line);
      if (!match) throw new Error(`example ${name}: no name = value: ${line.slice(0, 40)}`);
      return [match[1]!, parseValue(match[2]!, `example ${name}`)];
    });
    examples.set(name!, Object.fromEntries(pairs));
  }
  return examples;
}

/** The document with every block's lines made anew. Throws on a block without an example. */
export function replaceExamples(document: string, examples: Readonly<Record<string, Example>>): string {
  return document.replaceAll(BLOCK, (_, name: string) => {
    const example = examples[name];
    if (!example) throw new Error(`no example is called ${name}`);
    return `\`\`\`example ${name}\n${render(example)}\`\`\``;
  });
}
