/** How clients reach the server: dialling and fetching, through a network that may not let them. */
import type { Dial, Socket } from '../../src/client/socket.js';
import type { Life } from './client.js';
import type { Loop, Process } from './loop.js';
import { LyingClient } from './lying-client.js';
import { clientSocket, type Receiver, type Wire } from './network.js';
import { delayOf, type Profile } from './profile.js';
import type { SimulatedServer } from './server.js';

/** A dial that nobody answers is given up. */
const DIAL_MS = 10_000;

export class Reach {
  private readonly wires = new Map<Life, Set<Wire>>();
  private readonly owners = new Map<Process, Life>();
  private dials = 0;
  readonly lyingClient: LyingClient;

  constructor(
    private readonly loop: Loop,
    private readonly profile: Profile,
    private readonly server: SimulatedServer,
  ) {
    this.lyingClient = new LyingClient(loop.random);
  }

  private delay(): number {
    return delayOf(this.loop.random, this.profile.socketMs, this.profile.stalls);
  }

  readonly dialFor = (life: Life): Dial => {
    this.owners.set(life.process, life);
    this.wires.set(life, new Set());
    return (url, events) => {
      const { loop } = this;
      const name = `socket ${++this.dials}`;
      let wire: Wire | null = null;
      let isOver = false;
      const closed = (code: number, reason: string) => {
        if (isOver) return;
        isOver = true;
        if (wire) this.wires.get(life)!.delete(wire);
        events.closed(code, reason);
      };
      const client: Receiver = { process: life.process, frame: (bytes) => events.frame(bytes), closed };
      const fails = (delay: number) =>
        loop.in(delay, life.process, `${name} fails`, () => closed(1006, 'no answer'));
      const arrive = () => {
        if (isOver) return;
        wire = life.person.isCutOff ? null : this.server.accept(new URL(url).pathname, name, client);
        if (!wire) return void fails(loop.random.chance(0.1) ? DIAL_MS : this.delay());
        this.wires.get(life)!.add(wire);
        loop.in(this.delay(), life.process, `${name} opens`, () => {
          if (!isOver) events.opened();
        });
      };
      loop.in(this.delay(), life.process, `${name} dials`, arrive);
      const nothing: Socket = { send: () => {}, pause: () => {}, resume: () => {}, close: () => fails(0) };
      const real = () => (wire && !isOver ? clientSocket(wire) : nothing);
      return {
        send: (frames) =>
          real().send(life.person.isLiar ? this.lyingClient.told(frames) : this.lyingClient.heard(frames)),
        pause: () => real().pause(),
        resume: () => real().resume(),
        close: (code, reason) => real().close(code, reason),
      };
    };
  };

  readonly fetch = (url: string, signal: AbortSignal): Promise<unknown> => {
    const { loop, server } = this;
    const process = loop.current!;
    const life = this.owners.get(process)!;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const aborted = () => reject(signal.reason);
      signal.addEventListener('abort', aborted);
      loop.in(2 * this.delay(), process, `fetches ${url}`, () => {
        signal.removeEventListener('abort', aborted);
        const answer = life.person.isCutOff ? null : server.answer(new URL(url).pathname);
        if (answer === null) return reject(new TypeError('fetch failed'));
        resolve(Response.json(answer));
      });
    });
  };

  cut(life: Life): void {
    for (const wire of [...(this.wires.get(life) ?? [])]) wire.cut();
  }

  /** One of its sockets. */
  cutOne(life: Life): void {
    const wires = [...(this.wires.get(life) ?? [])];
    if (wires.length > 0) this.loop.random.pick(wires).cut();
  }

  gone(life: Life): void {
    this.cut(life);
    this.wires.delete(life);
    this.owners.delete(life.process);
  }
}
