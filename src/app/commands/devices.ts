// device: which devices send, in which character sets their texts are, and what somebody said of that.

import type { DeviceShown } from '../../archive/index.ts';
import { ArchiveError } from '../../base/index.ts';
import { type Command, defineCommand, textFlag } from '../command.ts';
import { timeText } from '../say-sizes.ts';

const words = (text: string): string => (text === '' ? 'none' : text);

function linesOf({ id, source, maker, model, station, habits, setting }: DeviceShown): string[] {
  const name = [source, maker, model, station].map((each) => (each === '' ? '-' : each)).join('  ');
  const lines = [`${id}  ${name}`];
  for (const { how, declared, read, seriesCount } of habits) {
    const told = {
      plain: 'nothing beyond ASCII',
      declared: `${words(read)}, as declared`,
      text: `${words(read)}, declared ${words(declared)}`,
      unsure: `perhaps ${words(read)}, declared ${words(declared)}`,
      setting: `${words(read)} as was said, declared ${words(declared)}`,
    }[how];
    lines.push(`  ${seriesCount} series: ${told}`);
  }
  if (setting !== undefined && setting.terms.length > 0) {
    const only = setting.declared === undefined ? '' : ` where ${words(setting.declared.join('\\'))} is declared`;
    const { terms, who, why, atMs, done } = setting;
    const rest = done ? '' : ' (what came before is not all read anew yet)';
    lines.push(`  said to send ${terms.join('\\')}${only}, by ${who} ${timeText(atMs)}: ${why}${rest}`);
  }
  return lines;
}

const deviceList = defineCommand({
  name: 'device list',
  usage: '[--odd]',
  says: 'list devices, and the character sets in which their texts were found',
  details: 'A device is who sends for it, its maker, model and station name (or serial number), as its series say.',
  args: { least: 0, most: 0 },
  flags: {
    odd: { type: 'boolean', says: 'only those that declare another set than they use, or whose texts are in doubt' },
  },
  where: 'archive',
  run: async ({ running, flags, terminal, json }) => {
    const { devices } = (await running()).archive;
    for (const device of await devices.list()) {
      const isOdd = device.habits.some(({ how }) => how === 'text' || how === 'unsure' || how === 'setting');
      if (flags['odd'] === true && !isOdd) continue;
      for (const line of json ? [JSON.stringify(device)] : linesOf(device)) terminal.out(line);
      await terminal.room();
    }
    return 0;
  },
});

const termsOf = (text: string): string[] => (text === 'none' ? [''] : text.split('\\'));

const deviceCharset = defineCommand({
  name: 'device charset',
  usage: 'DEVICE TERMS --why TEXT [--declared TERMS] [--by NAME]',
  says: 'say in which character set a device sends, for what came and for what will come',
  details: `TERMS are values of Specific Character Set (0008,0005), with a backslash between several, such as GB18030 or "\\ISO 2022 IR 58"; auto takes back what was said, and
texts are read by what they say. Bytes stay as they came; names are shown and found as they are read now, and what leaves tells the set. A server goes on where a
restart interrupted it.`,
  args: { least: 2, most: 2 },
  flags: {
    declared: { type: 'string', value: 'TERMS', says: 'only of data sets that declare this, or none' },
    why: { type: 'string', value: 'TEXT', says: 'the reason, kept with the setting' },
    by: { type: 'string', value: 'NAME', says: 'who says so (operator)' },
  },
  where: 'archive',
  run: async (run) => {
    const { terminal, json, flags } = run;
    const [id = '', text = ''] = run.args;
    const [why, declared] = [textFlag(flags, 'why'), textFlag(flags, 'declared')];
    if (why === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'say why: --why TEXT');
    const { devices } = (await run.running()).archive;
    const { id: device } = await devices.setCharset(id, {
      terms: text === 'auto' ? [] : termsOf(text),
      declared: declared === undefined ? undefined : termsOf(declared),
      who: textFlag(flags, 'by') ?? 'operator',
      why,
    });
    const counts = { changed: 0, unchanged: 0, failed: 0 };
    for await (const { outcome, code } of devices.repair(device, terminal.signal)) {
      counts[outcome] += 1;
      if (code !== undefined) terminal.note(`a series could not be read anew (${code})`);
      terminal.progress(`${counts.changed} series read anew`);
    }
    terminal.progressDone();
    const says = `${counts.changed} series read anew, ${counts.failed} could not be`;
    terminal.out(json ? JSON.stringify({ device, ...counts }) : says);
    return counts.failed === 0 && !terminal.signal.aborted ? 0 : 1;
  },
});

export const deviceCommands: readonly Command[] = [deviceList, deviceCharset];
