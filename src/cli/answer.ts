/** Answers of a server that may send what it likes: read as they come, with bounds on bytes and on how long nothing comes. */
import { CountersignError, ERRORS, type ErrorCode, FormatError, Writer } from '../protocol/index.js';

const MAX_ERROR_BYTES = 1 << 16;

export class Answer {
  private constructor(
    private readonly response: Response,
    private readonly patience: Patience,
  ) {}

  /** One that has begun in time. Rejects with what the server says, or `connection-lost`. */
  static async to(url: string, patienceMs: number, headers: Record<string, string> = {}): Promise<Answer> {
    const patience = new Patience(patienceMs);
    const asked = fetch(url, { headers, signal: patience.signal, redirect: 'error' });
    const response = await patience.within(asked).catch(lost);
    const answer = new Answer(response, patience);
    if (response.ok) return answer;
    const told = (await answer.json(MAX_ERROR_BYTES).catch(() => null)) as {
      error?: { code?: unknown; message?: unknown };
    } | null;
    const { code, message } = told?.error ?? {};
    // A word of its own would be none that anybody knows what to do about.
    const isCode = typeof code === 'string' && Object.hasOwn(ERRORS, code);
    if (isCode) throw new CountersignError(code as ErrorCode, String(message));
    throw new CountersignError('connection-lost', `${url}: ${response.status}`);
  }

  /** As they come. Rejects with `connection-lost`, also when none comes for too long. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    const reader = this.response.body?.getReader();
    if (!reader) return;
    try {
      for (;;) {
        const { done, value } = await this.patience.within(reader.read()).catch(lost);
        if (done) return;
        yield value;
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  /** All of it. Rejects with `FormatError` on more bytes than that. */
  async bytes(most: number): Promise<Uint8Array> {
    const all = new Writer();
    for await (const chunk of this.chunks()) {
      if (all.length + chunk.length > most) throw new FormatError(`an answer of more than ${most} bytes`);
      all.bytes(chunk);
    }
    return all.done();
  }

  async text(most: number): Promise<string> {
    return new TextDecoder().decode(await this.bytes(most));
  }

  async json(most: number): Promise<unknown> {
    const text = await this.text(most);
    try {
      return JSON.parse(text);
    } catch {
      throw new FormatError('no JSON');
    }
  }
}

/** Ends a request when nothing has come for so long. */
class Patience {
  private readonly ending = new AbortController();

  constructor(private readonly ms: number) {}

  get signal(): AbortSignal {
    return this.ending.signal;
  }

  /** Rejects when it is over, whatever becomes of the request that is ended then. */
  within<T>(coming: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const error = new Error(`nothing for ${this.ms} ms`);
        reject(error);
        this.ending.abort(error);
      }, this.ms);
      coming.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
}

function lost(error: unknown): never {
  const { message, cause } = error as Error;
  throw new CountersignError(
    'connection-lost',
    `no answer: ${cause instanceof Error ? cause.message : message}`,
  );
}

/** What cannot be read in an answer is the server's fault. */
export async function checked<T>(read: () => Promise<T>): Promise<T> {
  return read().catch(refused);
}

export function refused(error: unknown): never {
  if (!(error instanceof FormatError)) throw error;
  throw new CountersignError('verification-failed', `what the server sends is wrong: ${error.message}`);
}
