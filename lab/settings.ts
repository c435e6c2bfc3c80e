/** What one lab is made with: its name, its keys and its images; written by `up`, read by the API process. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { endpoint, paths, region } from './config.ts';

const settingsSchema = z.object({
  /** Random; the identity every answer of this lab's API carries. */
  labId: z.string(),
  /** The one key pair that signs requests. */
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  /** Extracted image on this machine, by image id. */
  images: z.record(z.string(), z.string()),
});
export type Settings = z.infer<typeof settingsSchema>;

/** The settings of the lab that was started last, unless `down` removed them. */
export function readSettings(): Settings | undefined {
  if (!existsSync(paths.settings)) return undefined;
  return settingsSchema.parse(JSON.parse(readFileSync(paths.settings, 'utf8')));
}

/** Writes the settings, keeping name and keys of a lab that was killed: its world and its clients live on. */
export function writeSettings(images: Settings['images']): Settings {
  const settings = { ...(readSettings() ?? newIdentity()), images };
  writeFileSync(paths.settings, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  return settings;
}

function newIdentity(): Omit<Settings, 'images'> {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const suffix = [...randomBytes(16)].map((byte) => letters.charAt(byte % letters.length)).join('');
  return {
    labId: randomBytes(4).toString('hex'),
    accessKeyId: `AKIA${suffix}`,
    secretAccessKey: randomBytes(30).toString('base64'),
  };
}

/** Writes `.lab/aws.env`: shell lines with which any AWS client talks to the lab and to nothing else. */
export function writeEnvironment(settings: Settings): void {
  const lines = [
    `export AWS_ENDPOINT_URL=${endpoint}`,
    `export AWS_REGION=${region}`,
    `export AWS_DEFAULT_REGION=${region}`,
    `export AWS_ACCESS_KEY_ID=${settings.accessKeyId}`,
    `export AWS_SECRET_ACCESS_KEY=${settings.secretAccessKey}`,
    'export AWS_EC2_METADATA_DISABLED=true',
  ];
  writeFileSync(paths.environment, `${lines.join('\n')}\n`, { mode: 0o600 });
}
