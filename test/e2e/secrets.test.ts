/** A planted secret reaches the script and nothing else: user data, logs, S3, objects, events, command lines, disks. */
import { DescribeInstanceAttributeCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../lab/hosts/lab.ts';
import { type Installation, openInstallation } from './setup.ts';
import { Story, script, secret, server, template } from './story.ts';

/** Characters that shells, URLs and JSON write in other ways. */
const planted = `Zk9"q'w $x/+7=pw\\n&%`;
const forms = [
  planted,
  Buffer.from(planted).toString('base64').replace(/=+$/, ''),
  encodeURIComponent(planted),
  JSON.stringify(planted).slice(1, -1),
];
/** Says it in every way it can think of, then waits so that others can look at it while it runs. */
const blab = `
set -u
printf 'plain: %s\\n' "$PASSWORD"
printf 'base64: %s\\n' "$(printf %s "$PASSWORD" | base64 -w0)"
printf 'url: %s\\n' "$(printf %s "$PASSWORD" | perl -pe 's/([^A-Za-z0-9_.!~*()\\x27-])/sprintf("%%%02X", ord $1)/ge')"
set -x
: "$PASSWORD"
set +x
printf %s "$PASSWORD" | sha256sum >/root/proof
for try in $(seq 300); do [ -e /root/go-on ] && break; sleep 0.1; done
echo 'the end'
`;
let site: Installation;
let story: Story;
let seen = '';

beforeAll(async () => {
  site = await openInstallation();
  await site.startController({ LOG_LEVEL: 'trace' });
  story = await Story.open(site, 'secrets', {
    inputs: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }],
  });
  const inputs = [{ name: 'PASSWORD', required: true, sensitive: true }];
  await story.apply(
    secret('db', { password: planted }),
    script('blab', blab, { inputs }),
    template('blabber', { boot: ['blab'] }),
    server('web', 'blabber'),
  );
});

afterAll(() => site.close());

function formsIn(text: string): string[] {
  return forms.filter((form) => text.includes(form));
}

test('while the script runs, no command line on the host shows the secret', async () => {
  await until(
    'the running script',
    async () => {
      const text = await story.onMachine('web', 'cat /root/proof').catch(() => '');
      return text === '' ? undefined : text;
    },
    60_000,
  );
  const lines = await story.onMachine('web', "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
  expect(lines).toContain('/bin/bash');
  expect(formsIn(lines)).toEqual([]);
  seen = await story.onMachine('web', "cat /proc/[0-9]*/environ | tr '\\0' '\\n'");
  expect(formsIn(seen), 'the control: the script itself has it').toContain(planted);
  await story.onMachine('web', 'touch /root/go-on');
  await story.waitOperational('web');
});

test('the log in S3 and in status is complete and masked', async () => {
  const stored = await site.stored();
  expect(stored.get('runs/secrets/web-boot-1/web.log')).toContain('the end');
  expect(formsIn([...stored].flat().join('\n'))).toEqual([]);
  const tail = await story.field('rlr/web-boot-1', '{.status.results[0].logTail}');
  expect(tail).toMatch(/plain: ••••\n/);
  expect(tail).toMatch(/base64: ••••/);
  expect(tail).toMatch(/url: ••••/);
});

test('objects and events do not show it, except the Secret itself', async () => {
  const kinds = 'rl,launchbatches,events,controllerrevisions,configmaps';
  const text = await story.kubectl('get', kinds, '--output=yaml', '--show-managed-fields');
  const json = await story.kubectl('get', kinds, '--output=json');
  expect(json).toContain('web-boot-1');
  expect([...formsIn(text), ...formsIn(json)]).toEqual([]);
  const control = await story.kubectl('get', 'secret', 'db', '--output=json');
  expect(formsIn(control), 'the control').toHaveLength(1);
});

test('user data and the controller log do not show it', async () => {
  const [instance] = await site.instances();
  const answer = await site.ec2.send(
    new DescribeInstanceAttributeCommand({ InstanceId: instance!, Attribute: 'userData' }),
  );
  const userData = Buffer.from(answer.UserData?.Value ?? '', 'base64').toString();
  expect(userData).toContain('authorized_keys');
  expect(formsIn(userData)).toEqual([]);
  expect(site.controllerLog()).toContain('web-boot-1');
  expect(formsIn(site.controllerLog())).toEqual([]);
});

test('afterwards no file on the host holds it', async () => {
  const search = (pattern: string) =>
    `grep -rlF --exclude-dir=proc --exclude-dir=sys -e '${pattern}' /var /etc /root /run /tmp /home || true`;
  const encoded = forms[1]!;
  await story.onMachine('web', `printf %s '${encoded}' >/root/control`);
  expect(await story.onMachine('web', search(encoded)), 'the control').toBe('/root/control\n');
  expect(await story.onMachine('web', search('Zk9"q'))).toBe('');
});
