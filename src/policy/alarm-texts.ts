// What alarms say to people, in their language: what is wrong, and what to do.
//
// Invariants: every cause has a sentence in every language; what a sentence names are our own labels, counts and times, and nothing of a patient.

import type { Alarm, AlarmCause } from './find-alarms.ts';

export const alarmLanguages = ['en', 'zh'] as const;
export type AlarmLanguage = (typeof alarmLanguages)[number];

const texts: Readonly<Record<AlarmCause, Readonly<Record<AlarmLanguage, string>>>> = {
  'catalog-stopped': {
    en: 'the catalog takes no more changes: restart the server',
    zh: '目录不再接受更改：请重启服务',
  },
  'content-lost': {
    en: '{count} records are on no disk any more: see stele status',
    zh: '有 {count} 条记录在所有磁盘上都已丢失：请查看 stele status',
  },
  'copies-few': {
    en: 'some packs have fewer copies than they should: run stele repair',
    zh: '部分数据包的副本数不足：请运行 stele repair',
  },
  'entries-unreadable': {
    en: '{count} entries could not be read at the start: see stele status',
    zh: '启动时有 {count} 条条目无法读取：请查看 stele status',
  },
  'disk-missing': {
    en: 'disk {subject} is missing: attach it, or run stele repair',
    zh: '磁盘 {subject} 不在线：请接回该磁盘，或运行 stele repair',
  },
  'disk-failing': {
    en: 'disk {subject} takes no new data: check it, then run stele repair',
    zh: '磁盘 {subject} 无法写入新数据：请检查后运行 stele repair',
  },
  'copy-damaged': {
    en: 'disk {subject} holds {count} damaged packs: run stele repair',
    zh: '磁盘 {subject} 上有 {count} 个损坏的数据包：请运行 stele repair',
  },
  'space-low': {
    en: 'disk {subject} has {bytes} left: run stele disk add',
    zh: '磁盘 {subject} 仅剩 {bytes}：请用 stele disk add 增加磁盘',
  },
  'space-ends': {
    en: 'disk {subject} will be full on about {day}: run stele disk add',
    zh: '磁盘 {subject} 预计在 {day} 前后写满：请用 stele disk add 增加磁盘',
  },
  'keyring-unexported': {
    en: 'the keyring was never exported: run stele keys export, and keep it elsewhere',
    zh: '密钥环从未导出：请运行 stele keys export，并另处保管',
  },
  'certificate-ends': {
    en: 'the certificate for HTTPS ends on {day}: renew it',
    zh: 'HTTPS 证书将于 {day} 到期：请更新',
  },
  'queue-stands': {
    en: '{count} studies wait for {subject} for {hours} hours: see stele forward queue',
    zh: '{count} 个检查等待发送到 {subject} 已 {hours} 小时：请查看 stele forward queue',
  },
  'peer-silent': {
    en: '{subject} sent nothing since {time}, at hours when it usually does',
    zh: '{subject} 自 {time} 起没有发送数据，而平时此时段均有数据',
  },
  'notice-failing': {
    en: 'alarms do not reach {subject}: run stele alarm test {subject}',
    zh: '告警无法送达 {subject}：请运行 stele alarm test {subject}',
  },
};

export function alarmText({ cause, subject, facts }: Omit<Alarm, 'weight'>, language: AlarmLanguage): string {
  const { atMs, bytes, count, hours } = facts;
  const time = atMs === undefined ? '' : new Date(atMs).toISOString();
  const values: Readonly<Record<string, string>> = {
    subject,
    count: String(count ?? ''),
    hours: String(hours ?? ''),
    bytes: `${((bytes ?? 0) / 1024 ** 3).toFixed(1)} GiB`,
    day: time.slice(0, 10),
    time: `${time.slice(0, 16).replace('T', ' ')} UTC`,
  };
  return texts[cause][language].replace(/\{(\w+)\}/g, (_whole, name: string) => values[name] ?? '');
}
