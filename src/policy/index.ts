// policy: decides, never acts. Pure functions from facts and a time to plans.

export { type AlarmLanguage, alarmLanguages, alarmText } from './alarm-texts.ts';
export type { Alarm, AlarmFacts, AlarmWeight, DiskFacts, PeerFacts, QueueFacts } from './find-alarms.ts';
export { type AlarmCause, alarmCauses, findAlarms } from './find-alarms.ts';
export type { InstancePixels, PixelCuts } from './pack-instance.ts';
export { hintInstance, planPixelCuts } from './pack-instance.ts';
export type { AlarmNotice, AlarmState } from './plan-alarms.ts';
export { alarmKey, planAlarms } from './plan-alarms.ts';
export type { SmallPack } from './plan-merge.ts';
export { mergePacksMin, planMerge, smallBelowBytes } from './plan-merge.ts';
export type { PlannedPrior, Prior, PriorOrder, PriorRule, PriorWish } from './plan-priors.ts';
export { planPriors, usualPriorRule } from './plan-priors.ts';
export type { GroupFacts, PackBytes, PackFacts, SettlePlan, SettleRules } from './plan-settle.ts';
export { controlPacksMin, isMostlyDead, patience, planControl, planSettle } from './plan-settle.ts';
