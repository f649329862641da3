// pull report, pull verify: what arrived, signed; and whether a report is what was signed.

import fs from 'node:fs';
import path from 'node:path';
import { ArchiveError, defaultTenant, hexOf, Sha256, systemClock } from '../../base/index.ts';
import {
  isSignatureGood,
  type JsonObject,
  keyFingerprint,
  ledgerLines,
  makeReport,
  type PullJob,
  parseSignedReport,
  reportText,
  type SignedReport,
  signReport,
} from '../../doors/pull/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { fileFault, readFile } from '../named-files.ts';
import { findJob, jobStore } from '../pull-jobs.ts';
import { shownPath } from '../pull-tree.ts';
import { findReportKey, publicKeyIn, takeReportKey } from '../report-key.ts';
import type { Running } from '../running.ts';

const reportBytesMax = 256 * 1024 * 1024;
const linesTogether = 1000;

export const pullReport = defineCommand({
  name: 'pull report',
  usage: '[JOB] [--out FOLDER] [--files]',
  says: 'make the signed report of a pull: what the source named, and what is here of it',
  details: `Without --out it is shown (--json: as it is signed). With it, pull-JOB.json, pull-JOB.txt and the list of all instances, pull-JOB.instances.jsonl, are
written. The report names UIDs and counts, no patient and no path. --files shows instead which files were passed over or refused, with their paths.`,
  args: { least: 0, most: 1 },
  flags: {
    out: { type: 'string', value: 'FOLDER', says: 'write the report and its list of instances there' },
    files: { type: 'boolean', says: 'list the files that were passed over or refused, and why' },
  },
  where: 'archive',
  run: async (run) => {
    const running = await run.running();
    const job = findJob(await jobStore(running).list(), run.args[0]);
    if (run.flags['files'] === true) return listFiles(run, running, job);
    const key = takeReportKey(run.settings.data);
    const out = textFlag(run.flags, 'out');
    const signed =
      out === undefined
        ? signReport(await reportOf(running, job, () => undefined), key.privateKeyPem)
        : await writeReport(path.resolve(run.terminal.cwd, out), running, job, key.privateKeyPem);
    if (run.json) run.terminal.out(JSON.stringify(signed));
    else for (const line of reportText(signed)) run.terminal.out(line);
    run.terminal.note(`signed with the key in ${key.file}`);
    return signed.report['complete'] === true ? 0 : 1;
  },
});

function reportOf({ archive }: Running, job: PullJob, onLine: (line: string) => void): Promise<JsonObject> {
  return makeReport(job, { archive, nowMs: systemClock.nowMs(), onLine });
}

/** The list first, for the report holds its digest. */
async function writeReport(
  folder: string,
  running: Running,
  job: PullJob,
  privateKeyPem: string,
): Promise<SignedReport> {
  const file = (end: string): string => path.join(folder, `pull-${job.id}.${end}`);
  try {
    fs.mkdirSync(folder, { recursive: true });
    const fd = fs.openSync(file('instances.jsonl'), 'w', 0o600);
    let lines: string[] = [];
    const flush = (): void => {
      if (lines.length > 0) fs.writeSync(fd, `${lines.join('\n')}\n`);
      lines = [];
    };
    try {
      const report = await reportOf(running, job, (line) => {
        lines.push(line);
        if (lines.length >= linesTogether) flush();
      });
      flush();
      fs.fsyncSync(fd);
      const signed = signReport(report, privateKeyPem);
      fs.writeFileSync(file('json'), `${JSON.stringify(signed, null, 2)}\n`, { mode: 0o600, flush: true });
      fs.writeFileSync(file('txt'), `${reportText(signed).join('\n')}\n`, { mode: 0o600, flush: true });
      return signed;
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    throw fileFault(error, 'the report cannot be written');
  }
}

async function listFiles({ terminal, json }: CommandRun, { archive }: Running, job: PullJob): Promise<number> {
  for await (const line of ledgerLines({ archive, tenant: defaultTenant, job: job.id }, job.parts)) {
    if (line.kind !== 'file') continue;
    const file = shownPath(line.path);
    terminal.out(json ? JSON.stringify({ ...line, path: file }) : `${line.state}  ${line.why}  ${file}`);
    await terminal.room();
  }
  return 0;
}

export const pullVerify = defineCommand({
  name: 'pull verify',
  usage: 'FILE [--key FILE]',
  says: 'check the signature of a report, and its list of instances where that lies beside it',
  details: `The key must be that of this data folder, or of --key: the file report-key.public.pem of the archive that made the report.`,
  args: { least: 1, most: 1 },
  flags: { key: { type: 'string', value: 'FILE', says: 'public key to trust (PEM)' } },
  where: 'here',
  run: async (run) => {
    const { terminal, json, settings } = run;
    const name = run.args[0] ?? '';
    const file = path.resolve(terminal.cwd, name);
    const limits = { sizeBytesMax: reportBytesMax, pipes: false };
    const signed = parseSignedReport(readFile(file, name, limits).toString('utf8'));
    const keyFile = textFlag(run.flags, 'key');
    const trusted =
      keyFile === undefined
        ? findReportKey(settings.data)?.publicKey
        : publicKeyIn(readFile(path.resolve(terminal.cwd, keyFile), keyFile, limits).toString('utf8'));
    const signature = !isSignatureGood(signed) ? 'bad' : signed.key === trusted ? 'good' : 'of an unknown key';
    const list = await checkList(file, signed.report);
    const isGood = signature === 'good' && list !== 'changed';
    if (json)
      terminal.out(
        JSON.stringify({ signature, list, key: keyFingerprint(signed.key), complete: signed.report['complete'] }),
      );
    else {
      terminal.out(`signature ${signature}, key ${keyFingerprint(signed.key)}`);
      terminal.out(`list of instances ${list}`);
      if (isGood) terminal.out(`the report says: ${signed.report['complete'] === true ? 'complete' : 'NOT complete'}`);
    }
    return isGood ? 0 : 1;
  },
});

async function checkList(file: string, report: JsonObject): Promise<'as signed' | 'changed' | 'not there'> {
  const list = file.replace(/\.json$/, '.instances.jsonl');
  if (list === file || !fs.existsSync(list)) return 'not there';
  const digest = new Sha256();
  try {
    for await (const piece of fs.createReadStream(list)) digest.update(piece as Uint8Array);
  } catch (error) {
    throw fileFault(error, 'the list of instances cannot be read');
  }
  const { instances } = report;
  const signed = typeof instances === 'object' && instances !== null ? (instances as JsonObject)['sha256'] : undefined;
  if (typeof signed !== 'string') throw new ArchiveError('ARGUMENT_INVALID', 'the report names no list of instances');
  return hexOf(digest.digest()) === signed ? 'as signed' : 'changed';
}
