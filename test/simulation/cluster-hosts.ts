/** What the jobs of a database cluster do to its servers in memory: set up, copy, start again. */
import { mySQLClusterKind } from '../../controller/api/mysql-cluster.ts';
import { serverKind } from '../../controller/api/server.ts';
import { jobExit } from '../../controller/database/job-script.ts';
import type { Job } from '../../controller/shell/port.ts';
import type { Site } from '../builders/site.ts';
import type { Accounts } from '../fakes/database-rows.ts';
import type { FakeDatabases } from '../fakes/databases.ts';
import type { Outcome } from '../fakes/shell.ts';

export class ClusterHosts {
  /** What jobs do, by the step their id names; a copy also copies. */
  onJob: (step: string, job: Job, address: string) => Outcome = () => ({ takes: 1_000 });
  /** Jobs that were started, as `address step`. */
  readonly jobs: string[] = [];
  /** Base64 of what each server was started with, by address. */
  readonly settings = new Map<string, string>();
  readonly #site: Site;
  readonly #databases: () => FakeDatabases;

  /** From now on jobs of no other text do this. */
  constructor(site: Site, databases: () => FakeDatabases) {
    this.#site = site;
    this.#databases = databases;
    site.shell.onScript = (job, address) => this.#run(job, address);
  }

  /** What its servers were started with is known of the other's, too. */
  copyFrom(other: ClusterHosts): void {
    for (const [address, settings] of other.settings) this.settings.set(address, settings);
  }

  #run(job: Job, address: string): Outcome {
    const [, step = ''] = /-(preparing|loading|cloning|revival|rollout)-\d+(?:-donor)?$/.exec(job.id) ?? [];
    if (step === '') return {};
    this.jobs.push(`${address} ${step}`);
    this.#installUnit(job, address);
    if (step === 'preparing' || step === 'loading') this.settings.set(address, settingsIn(job));
    const outcome = this.onJob(step, job, address);
    const hasFailed = (outcome.exitCode ?? 0) !== 0;
    return hasFailed || job.id.endsWith('-donor')
      ? outcome
      : { ...this.#effectOf(step, job, address), ...outcome };
  }

  /** systemd ends the database as the job's file says, from then on. */
  #installUnit(job: Job, address: string): void {
    const unit = Buffer.from(attachment(job, 'unit.conf'), 'base64').toString();
    const [, signal] = /^KillSignal=(SIGKILL|SIGTERM)$/m.exec(unit) ?? [];
    if (unit !== '') this.#databases().server(address).killSignal = signal === 'SIGKILL' ? signal : 'SIGTERM';
  }

  /** What a job does that succeeds, and what it prints. */
  #effectOf(step: string, job: Job, address: string): Outcome {
    const databases = this.#databases();
    if (!job.script.includes("adopt='no'")) return this.#adopt(step, job, address);
    if (step === 'loading') databases.server(address).firstAccounts = accountsIn(job);
    if (step === 'cloning') databases.server(address).cloneFrom(databases.server(this.#donorOf(address)));
    if (step === 'revival') databases.restart(address);
    if (step === 'rollout') return this.#roll(job, address);
    return {};
  }

  /** Looks at a machine that runs already, or takes it over: with other accounts than its log tells of, and closed. */
  #adopt(step: string, job: Job, address: string): Outcome {
    const server = this.#databases().server(address);
    if (server.source !== undefined)
      return { exitCode: jobExit.foreignData, lines: ['it was a replica of its former cluster'] };
    if (step === 'loading') {
      this.#databases().crash(address);
      this.#databases().restart(address);
      server.takeOver(accountsIn(job));
    }
    const facts = { version: '11.8.6', holding: 'whole', running: true, epoch: server.stamp.epoch };
    return { lines: [`ridgeline-facts ${JSON.stringify(facts)}`] };
  }

  /** A job with a stamp restarts its server, with the settings it brings. */
  #roll(job: Job, address: string): Outcome {
    const settings = settingsIn(job);
    const isRestart = !job.script.includes("stamp=''");
    if (isRestart) {
      this.#databases().crash(address);
      this.#databases().restart(address);
      this.settings.set(address, settings);
    }
    const restartPending = this.settings.get(address) !== settings;
    const facts = { version: '11.8.6', holding: 'whole', running: true, restartPending };
    return { lines: [`ridgeline-facts ${JSON.stringify(facts)}`] };
  }

  /** As its cluster has recorded it. */
  #donorOf(address: string): string {
    const servers = this.#site.cache.list(serverKind);
    const copy = servers.find(({ status }) => status?.privateIP === address);
    const records = this.#site.cache.list(mySQLClusterKind).flatMap(({ status }) => status?.members ?? []);
    const donor = records.find(({ server }) => server === copy?.metadata.name)?.donor;
    return servers.find((one) => one.metadata.name === donor)?.status?.privateIP ?? '';
  }
}

/** Those that the first data is made with. */
function accountsIn({ environment }: Job): Accounts {
  return {
    admin: [environment['RL_ADMIN_PASSWORD'] ?? ''],
    replication: [environment['RL_REPLICATION_PASSWORD'] ?? ''],
  };
}

/** Of its attachments; in base64. */
function settingsIn(job: Job): string {
  return attachment(job, 'settings.cnf');
}

/** In base64; empty when the job has none of this name. */
function attachment({ attachments }: Job, wanted: string): string {
  return attachments.find(({ name }) => name === wanted)?.content ?? '';
}
