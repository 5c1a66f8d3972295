/** Node's hook by which a module's name becomes its address: four leaf modules are replaced. */
import type { ResolveHook } from 'node:module';

const at = (path: string) => new URL(path, import.meta.url).href;

const REPLACED = new Map([
  [at('../../src/crypto/node.js'), at('./crypto.js')],
  [at('../../src/protocol/merkle-tree.js'), at('./merkle-tree.js')],
  [at('../../src/crypto/hash-lanes.js'), at('./hash-lanes.js')],
  [at('../../src/actors/frame-hasher.js'), at('./frame-hasher.js')],
]);
/** See the modules themselves: what replaces them, and what signs the manifest, which clients open before anything else. */
const SPARED = new Set([...REPLACED.values(), at('../../src/server/founding.js')]);

export const resolve: ResolveHook = async (specifier, context, next) => {
  const resolved = await next(specifier, context);
  const replacement = REPLACED.get(resolved.url);
  if (!replacement || SPARED.has(context.parentURL ?? '')) return resolved;
  return { ...resolved, url: replacement };
};
