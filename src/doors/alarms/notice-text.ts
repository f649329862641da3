// A notice as people read it: one line for a subject or a pager, and the lines below it.
//
// Invariant: one line is one line, whatever a label holds.

import { type AlarmLanguage, type AlarmNotice, type AlarmState, alarmText } from '../../archive/index.ts';

export type NoticeText = { readonly subject: string; readonly lines: readonly string[] };

const words = {
  en: {
    begun: '',
    again: 'still: ',
    over: 'over: ',
    none: 'no alarm is open; this word comes once a day, to say that alarms do',
    open: (count: number) => `${count} alarms are open`,
    test: 'a test: alarms come here',
    more: (count: number) => ` and ${count} more`,
    severe: 'ALARM',
    warning: 'warning',
    over1: 'over',
    fine: 'fine',
  },
  zh: {
    begun: '',
    again: '仍未解除：',
    over: '已解除：',
    none: '目前没有告警；本消息每天发送一次，表明告警通道正常',
    open: (count: number) => `目前有 ${count} 条告警未解除`,
    test: '测试消息：告警可以送达这里',
    more: (count: number) => `，另有 ${count} 条`,
    severe: '严重告警',
    warning: '警告',
    over1: '已解除',
    fine: '正常',
  },
} as const;

export function noticeText(notice: AlarmNotice, site: string, language: AlarmLanguage): NoticeText {
  const say = words[language];
  const line = (state: AlarmState, before: string): string => plain(`${before}${alarmText(state, language)}`);
  const lines = [
    ...notice.begun.map((each) => line(each, say.begun)),
    ...notice.again.map((each) => line(each, say.again)),
    ...notice.over.map((each) => line(each, say.over)),
  ];
  const isOpen = notice.begun.length + notice.again.length > 0;
  const level = levelOf(notice);
  const head = level === 'severe' ? say.severe : isOpen ? say.warning : lines.length > 0 ? say.over1 : say.fine;
  const [first] = lines;
  const more = lines.length > 1 ? say.more(lines.length - 1) : '';
  const state = notice.open === 0 ? say.none : say.open(notice.open);
  const about = notice.kind === 'test' ? say.test : first === undefined ? state : `${first}${more}`;
  return { subject: plain(`[Stele ${site}] ${head}: ${about}`), lines: lines.length > 0 ? [...lines, state] : [about] };
}

export function levelOf({ begun, again }: AlarmNotice): 'severe' | 'warning' | 'info' {
  const open = [...begun, ...again];
  if (open.some((each) => each.weight === 'severe')) return 'severe';
  return open.length > 0 ? 'warning' : 'info';
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is taken out.
const plain = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
