/** Cuts and impairments as JSON, checked: a typing error is told and not taken for a network that is well. */
import { CloudError } from '../world/cloud-error.ts';
import { parseAddress } from '../world/ipv4.ts';
import { type ImpairmentChange, type ImpairmentField, impairmentLimits } from '../world/links.ts';
import type { Cut } from '../world/runtime.ts';
import { asObject } from './fault-body.ts';

/** `{"from", "to"}`. @throws CloudError InvalidRequest */
export function readCut(body: unknown): Cut {
  const { from, to } = asObject(body);
  if (![from, to].every(isAddress)) throw invalid('from and to must be IPv4 addresses');
  return { from: String(from), to: String(to) };
}

/** `{"from", "to", "delayMs": 100, …}`; one of the two may be `*`, and `null` takes a field back. @throws CloudError InvalidRequest */
export function readImpairment(body: unknown): Cut & { readonly change: ImpairmentChange } {
  const { from, to, ...fields } = asObject(body);
  const isPair = [from, to].every((end) => end === '*' || isAddress(end)) && [from, to].some(isAddress);
  if (!isPair) throw invalid('from and to must be IPv4 addresses, one of them may be *');
  if (Object.keys(fields).length === 0) throw invalid(`what shall happen? ${fieldNames()}`);
  for (const [name, value] of Object.entries(fields)) checkField(name, value);
  return { from: String(from), to: String(to), change: fields };
}

function checkField(name: string, value: unknown): void {
  if (!Object.hasOwn(impairmentLimits, name)) throw invalid(`there is no ${name}: ${fieldNames()}`);
  const most = impairmentLimits[name as ImpairmentField];
  const isInRange = typeof value === 'number' && value >= 0 && value <= most;
  if (value !== null && !isInRange) throw invalid(`${name} must be a number from 0 to ${most}, or null`);
}

function fieldNames(): string {
  return Object.keys(impairmentLimits).join(', ');
}

function isAddress(value: unknown): boolean {
  return typeof value === 'string' && parseAddress(value) !== undefined;
}

function invalid(message: string): CloudError {
  return new CloudError('InvalidRequest', message);
}
