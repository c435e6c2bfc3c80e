/** Faults and the call log shared by the fakes: fail the next calls, before or after they took effect. */
import { AppError, type ErrorCode } from '../../controller/base/errors.ts';

/** One call a fake received, in order. */
export interface FakeCall<Operation extends string> {
  readonly operation: Operation;
  readonly detail: unknown;
}

interface Fault {
  readonly code: ErrorCode;
  readonly after: boolean;
  left: number;
}

export class Faults<Operation extends string> {
  readonly calls: FakeCall<Operation>[] = [];
  readonly #faults = new Map<Operation, Fault[]>();

  /** The next `times` calls fail without taking effect. */
  failNext(operation: Operation, code: ErrorCode, times = 1): void {
    this.#add(operation, { code, after: false, left: times });
  }

  /** The next `times` calls take effect, but their callers get an error: a lost answer, a 500 after the commit. */
  failAfterCommit(operation: Operation, code: ErrorCode, times = 1): void {
    this.#add(operation, { code, after: true, left: times });
  }

  /** The details of all calls of one operation. */
  of(operation: Operation): readonly unknown[] {
    return this.calls.filter((call) => call.operation === operation).map((call) => call.detail);
  }

  /** Logs the call and runs `effect` under the first fault waiting for this operation. */
  async run<Result>(
    operation: Operation,
    detail: unknown,
    effect: () => Result | Promise<Result>,
  ): Promise<Result> {
    this.calls.push({ operation, detail });
    const fault = this.#take(operation);
    if (fault !== undefined && !fault.after) throw injected(operation, fault.code);
    const result = await effect();
    if (fault !== undefined) throw injected(operation, fault.code);
    return result;
  }

  #add(operation: Operation, fault: Fault): void {
    this.#faults.set(operation, [...(this.#faults.get(operation) ?? []), fault]);
  }

  #take(operation: Operation): Fault | undefined {
    const fault = this.#faults.get(operation)?.find((candidate) => candidate.left > 0);
    if (fault !== undefined) fault.left -= 1;
    return fault;
  }
}

function injected(operation: string, code: ErrorCode): AppError {
  return new AppError(code, `injected fault in ${operation} [${code}]`, { fields: { operation } });
}
