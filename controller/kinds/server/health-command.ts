/** The command of a health check and what its output means; needs nothing on the host but bash and coreutils. Pure. */
import type { FrozenScript, TemplateRevision } from '../../api/template-revision.ts';
import { commandLine, quote } from '../../shell/quoting.ts';
import type { HealthFacts } from './decide/plan.ts';

type Health = TemplateRevision['health'];

/** undefined when the template has no check. */
export function healthCommand(health: Health, scripts: readonly FrozenScript[]): string | undefined {
  const { type, port, path, timeoutSeconds } = health;
  switch (type) {
    case 'TCP':
      return timedOutText(timeoutSeconds, `exec 3<>/dev/tcp/127.0.0.1/${port}`);
    case 'HTTP':
      return timedOutText(timeoutSeconds, httpProbe(port, path));
    case 'Script':
      return scriptProbe(health, scripts);
    case 'None':
      break;
  }
  return undefined;
}

type Finding = Pick<HealthFacts, 'result' | 'message'>;

/** 200 to 399 is healthy for HTTP, exit status 0 for everything else. */
export function judgeResult(
  health: Health,
  { exitCode, stdout }: { readonly exitCode: number; readonly stdout: string },
): Finding {
  const { type, timeoutSeconds, port, scriptRef } = health;
  if (exitCode === 124)
    return failedFinding(`no answer within ${timeoutSeconds} s (${type}, limit timeoutSeconds)`);
  if (type === 'Script') {
    const message = `Script/${scriptRef?.name ?? ''} exited ${exitCode}`;
    return exitCode === 0 ? passedFinding(message) : failedFinding(message);
  }
  if (exitCode !== 0) return failedFinding(`nothing listens on :${port}`);
  return type === 'HTTP' ? judgeHttp(health, stdout) : passedFinding(`TCP :${port} accepts connections`);
}

function judgeHttp({ port, path }: Health, stdout: string): Finding {
  const status = /^HTTP\/[\d.]+ (\d{3})/.exec(stdout)?.[1];
  if (status === undefined) return failedFinding(`no HTTP answer from :${port}${path}`);
  const message = `HTTP ${status} from :${port}${path}`;
  return Number(status) >= 200 && Number(status) < 400 ? passedFinding(message) : failedFinding(message);
}

function passedFinding(message: string): Finding {
  return { result: 'passed', message };
}

function failedFinding(message: string): Finding {
  return { result: 'failed', message };
}

function httpProbe(port: number, path: string): string {
  const request = String.raw`GET %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
  return `exec 3<>/dev/tcp/127.0.0.1/${port} && printf ${quote(request)} ${quote(path)} >&3 && head -n 1 <&3`;
}

function timedOutText(seconds: number, script: string): string {
  return `${commandLine('timeout', String(seconds), 'bash', '-c', script)} 2>/dev/null`;
}

/** The script runs without inputs and its output is not kept: it only says yes or no. */
function scriptProbe(health: Health, scripts: readonly FrozenScript[]): string {
  const script = scripts.find(({ name }) => name === health.scriptRef?.name);
  if (script === undefined) return 'exit 127';
  const text = Buffer.from(script.text).toString('base64');
  const run = commandLine(
    'sudo',
    '-n',
    '-u',
    script.runAs,
    'timeout',
    String(health.timeoutSeconds),
    script.interpreter,
  );
  return `f=$(mktemp) && chmod 644 "$f" && printf %s ${quote(text)} | base64 -d >"$f"; ${run} "$f" >/dev/null 2>&1; r=$?; rm -f "$f"; exit $r`;
}
