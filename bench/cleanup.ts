/** What was started is stopped, also when the bench is interrupted: last begun, first ended. */
export class Cleanup {
  private readonly steps: (() => Promise<unknown> | unknown)[] = [];
  private running: Promise<void> | null = null;

  get isRunning(): boolean {
    return this.running !== null;
  }

  add(step: () => Promise<unknown> | unknown): void {
    this.steps.push(step);
  }

  /** Once, whoever asks; also what is added meanwhile. Goes on when a step fails; rejects with the first failure. */
  run(): Promise<void> {
    this.running ??= this.runAll();
    return this.running;
  }

  private async runAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
