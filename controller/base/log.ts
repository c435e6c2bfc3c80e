/** The logger: JSON lines by pino. Messages are constants in the past tense; data goes into fields. */
import { destination, type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

/** Field names whose values never reach a log, at any depth up to two. */
const redacted = ['password', 'secret', 'token', 'privateKey', 'value', 'userData'];

/** A root logger that writes to stderr synchronously enough to survive a crash. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'msg',
      errorKey: 'err',
      redact: { paths: redacted.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    },
    destination({ dest: 2, sync: true }),
  );
}
