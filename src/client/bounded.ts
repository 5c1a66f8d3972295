/** An answer that is cut, and heard no longer, once it is longer than so many bytes: then it has more of them. */
export function bounded({ body }: Response, left: number): Response {
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, out) {
      out.enqueue(chunk);
      left -= chunk.length;
      if (left < 0) out.terminate();
    },
  });
  return new Response(body?.pipeThrough(counter));
}
