/** Bounds by schedule: zones, clock changes, broken schedules, and no change without announcement. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  boundsAt,
  nextChange,
  problemsOf,
} from '../../../../controller/kinds/server-array/decide/schedule.ts';

const base = { minReplicas: 1, maxReplicas: 9 };
const zone = 'America/Los_Angeles';
const day = { name: 'day', cron: '0 7 * * *', timeZone: zone, minReplicas: 4, maxReplicas: 12 };
const night = { name: 'night', cron: '0 22 * * *', timeZone: zone, minReplicas: 0, maxReplicas: 6 };
const both = [day, night];

function named(iso: string): string | undefined {
  return boundsAt(base, both, Date.parse(iso)).schedule;
}

describe('the schedule in force', () => {
  test('begins with the very millisecond it fires', () => {
    expect(named('2026-07-01T13:59:59.999Z')).toBe('night');
    expect(named('2026-07-01T14:00:00.000Z')).toBe('day');
  });

  test('follows the zone through both changes of the clock', () => {
    // Clocks go forward on 8 March and back on 1 November 2026: 07:00 is 15:00Z in winter, 14:00Z in summer.
    expect(named('2026-03-07T14:30:00Z')).toBe('night');
    expect(named('2026-03-08T14:30:00Z')).toBe('day');
    expect(named('2026-10-31T14:30:00Z')).toBe('day');
    expect(named('2026-11-01T14:30:00Z')).toBe('night');
  });

  test('is the later in the list when two fire at once', () => {
    const other = { ...day, name: 'other', minReplicas: 5 };
    expect(boundsAt(base, [day, other], Date.parse('2026-07-01T15:00:00Z')).schedule).toBe('other');
  });

  test('is none before any fires, and none of the broken', () => {
    expect(boundsAt(base, [], 0)).toEqual(base);
    expect(boundsAt(base, [{ ...day, cron: '99 7 * * *' }], Date.now())).toEqual(base);
  });
});

test.each([
  ['30 2 30 2 *', 'Etc/UTC', 'never fires'],
  ['61 2 * * *', 'Etc/UTC', 'not a five-field cron'],
  ['0 7 * * *', 'Mars/Olympus', 'not an IANA time zone'],
])('%s in %s is named as a problem', (cron, timeZone, text) => {
  const [problem] = problemsOf([{ ...day, cron, timeZone }], Date.UTC(2026, 0, 1));
  expect(problem?.schedule).toBe('day');
  expect(problem?.message).toContain(text);
});

test('bounds never change but at the announced instants', () => {
  const from = Date.UTC(2026, 0, 1);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 365 * 24 * 60 }), fc.nat(24 * 60 * 60_000), (minutes, span) => {
      const now = from + minutes * 60_000;
      const next = nextChange(both, now);
      expect(next).toBeDefined();
      const until = Math.min(now + span, (next ?? now) - 1);
      expect(boundsAt(base, both, until)).toEqual(boundsAt(base, both, now));
      expect(boundsAt(base, both, next ?? now)).not.toEqual(boundsAt(base, both, now));
    }),
    { numRuns: 200 },
  );
});
