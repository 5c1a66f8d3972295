/**
 * An answer that is cut, and heard no longer, once it is longer than so many bytes: then it has more of them. The signal ends it,
 * which in Node 20 that of its request does no more once nobody holds the answer as it came.
 */
export function bounded({ body }: Response, left: number, signal: AbortSignal): Response {
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, out) {
      out.enqueue(chunk);
      left -= chunk.length;
      if (left < 0) out.terminate();
    },
  });
  return new Response(body?.pipeThrough(counter, { signal }));
}
