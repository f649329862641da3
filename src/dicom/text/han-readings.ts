// Readings of 汉字 in names: how a name is said, in pinyin without tones, and what else its characters could be.
//
// Invariants: the dictionary (pinyin-pro: 8.5 MB of heap, 60 ms of processor time) is loaded when the first 汉字 comes, and never in a process that meets
// none; a character without a reading has none, and nothing throws. What is remembered has a limit.
// Left out on purpose: tones, which nobody types; ü stays ü, and who searches decides how it is typed (name-search.ts).

import { createRequire } from 'node:module';
import type * as Pinyin from 'pinyin-pro';

type Dictionary = typeof Pinyin;

let loaded: Dictionary | undefined;

function dictionary(): Dictionary {
  // Loaded by require and not by import, since names are projected into the catalog by functions that do not wait.
  loaded ??= createRequire(import.meta.url)('pinyin-pro') as Dictionary;
  return loaded;
}

/** Characters of names in a hospital: some six thousand. */
const knownCharsMax = 8192;
const knownReadings = new Map<string, readonly string[]>();

const isReading = /^[a-zü]+$/;

/** Every reading of a character, the usual one first; none when nobody knows. */
function readingsOfChar(char: string): readonly string[] {
  const known = knownReadings.get(char);
  if (known !== undefined) return known;
  const found = dictionary().pinyin(char, { multiple: true, toneType: 'none', type: 'array' });
  const readings = [...new Set(found.map(plainReading))].filter((reading) => isReading.test(reading));
  if (knownReadings.size >= knownCharsMax) knownReadings.clear();
  knownReadings.set(char, readings);
  return readings;
}

/** 欸 and 嗯 have readings with ê and syllabic n, which nobody types in a name. */
function plainReading(reading: string): string {
  return reading.replace('ê', 'e').toLowerCase();
}

/** Surnames that the dictionary reads as the word they are. */
const surnameReadings: Readonly<Record<string, string>> = {
  种: 'chong',
  祭: 'zhai',
  秘: 'bi',
  么: 'yao',
  适: 'kuo',
  郇: 'xun',
  黑: 'he',
  洗: 'xian',
};
/** Characters that mostly write a sound when they stand in a name (阿不都), but are read as words by the dictionary. */
const soundReadings: Readonly<Record<string, string>> = { 都: 'du', 什: 'shi' };

/** One reading a character, chosen by its neighbours; an empty one where nothing is known. */
function readRun(chars: readonly string[], surnameFirst: boolean): readonly string[] {
  const options = { toneType: 'none', type: 'array' } as const;
  const text = chars.join('');
  const found = dictionary().pinyin(text, surnameFirst ? { ...options, surname: 'head' } : options);
  if (found.length !== chars.length) return chars.map((char) => readingsOfChar(char)[0] ?? '');
  return found.map(plainReading).map((reading) => (isReading.test(reading) ? reading : ''));
}

export type HanReading = {
  /** How the name is said, one reading a character; empty where nothing is known. */
  readonly said: readonly string[];
  /** The same outside of a name, where 曾 is céng and 尉迟 wèi chí. */
  readonly usual: readonly string[];
  /** Per character what else it could be, most likely first. */
  readonly others: readonly (readonly string[])[];
};

/** How a run of 汉字 is read: as a name that begins with its surname (曾 zeng, 单 shan, 尉迟 yuchi), or as any other word. */
export function readHan(chars: readonly string[], surnameFirst: boolean): HanReading {
  const usual = readRun(chars, false);
  const said = (surnameFirst ? readRun(chars, true) : usual).map((reading, at) => {
    const char = chars[at] ?? '';
    return (surnameFirst && at === 0 ? surnameReadings[char] : undefined) ?? soundReadings[char] ?? reading;
  });
  const others = chars.map((char, at) => {
    const all = new Set([usual[at] ?? '', ...readingsOfChar(char)]);
    all.delete(said[at] ?? '');
    all.delete('');
    return [...all];
  });
  return { said, usual, others };
}

/** Surnames of two characters, which take two characters of a name that is written in one piece. */
const doubleSurnames: ReadonlySet<string> = new Set(
  (
    '欧阳 司马 上官 诸葛 东方 皇甫 尉迟 公孙 慕容 令狐 长孙 宇文 司徒 司空 夏侯 端木 百里 呼延 南宫 东郭 西门 独孤 万俟 闻人 ' +
    '轩辕 澹台 公冶 宗政 濮阳 淳于 单于 太叔 申屠 仲孙 钟离 鲜于 闾丘 司寇 亓官 赫连 拓跋 夹谷 谷梁 公羊 左丘 第五 羊舌 梁丘 ' +
    '公良 漆雕 乐正 壤驷 微生 完颜 纳兰 叶赫 爱新 佟佳 富察 那拉 钮祜 呼兰 东里 南门 东门 北宫 伯赏 归海 巫马 段干 即墨 达奚 褚师'
  ).split(' '),
);

/** How many characters at the start of a name in one piece are its family name. */
export function surnameLength(chars: readonly string[]): number {
  return chars.length > 2 && doubleSurnames.has(chars.slice(0, 2).join('')) ? 2 : 1;
}
