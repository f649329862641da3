// A notice to a webhook: JSON of our own, or as 企业微信 (WeCom) and 钉钉 (DingTalk) take it.
//
// Invariants: an answer that says in its body that it refused is a failure, though its status is 200; a redirect is not followed, so that a secret in the address
// goes to one place.

import { createHmac } from 'node:crypto';
import type { AlarmNotice, AlarmTarget } from '../../archive/index.ts';
import { levelOf, type NoticeText } from './notice-text.ts';

const waitMs = 20_000;
const answerBytesMax = 64 * 1024;
/** What WeCom takes in one message. */
const wecomBytesMax = 2048;

export type WebhookRequest = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export function webhookRequest(
  target: AlarmTarget,
  notice: AlarmNotice,
  text: NoticeText,
  nowMs: number,
): WebhookRequest {
  const { form, url, secret } = target;
  const whole = [text.subject, ...text.lines].join('\n');
  switch (form) {
    case 'wecom':
      return {
        url,
        headers: {},
        body: JSON.stringify({ msgtype: 'text', text: { content: cut(whole, wecomBytesMax) } }),
      };
    case 'dingtalk':
      return {
        url: secret === undefined ? url : dingtalkUrl(url, secret, nowMs),
        headers: {},
        body: JSON.stringify({ msgtype: 'text', text: { content: whole } }),
      };
    case 'text':
    case 'json': {
      const { kind, begun, again, over, open } = notice;
      const body =
        form === 'text' ? whole : JSON.stringify({ ...text, level: levelOf(notice), kind, begun, again, over, open });
      const signature = secret === undefined ? {} : { 'x-stele-signature': hmac(secret, body).toString('hex') };
      return { url, headers: signature, body };
    }
  }
}

const hmac = (secret: string, text: string): Buffer => createHmac('sha256', secret).update(text).digest();

/** DingTalk signs the time with the secret. */
function dingtalkUrl(url: string, secret: string, nowMs: number): string {
  const signed = new URL(url);
  signed.searchParams.set('timestamp', String(nowMs));
  signed.searchParams.set('sign', hmac(secret, `${nowMs}\n${secret}`).toString('base64'));
  return signed.href;
}

function cut(text: string, bytesMax: number): string {
  let out = text;
  while (Buffer.byteLength(out) > bytesMax)
    out = out.slice(0, -Math.max(1, Math.ceil((Buffer.byteLength(out) - bytesMax) / 4)));
  return out;
}

export async function sendWebhook({ url, headers, body }: WebhookRequest, isText: boolean): Promise<void> {
  const type = isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8';
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body,
    redirect: 'error',
    signal: AbortSignal.timeout(waitMs),
  });
  const answer = await readSome(response);
  if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
  const code = /"errcode"\s*:\s*(-?\d+)/.exec(answer)?.[1];
  if (code !== undefined && code !== '0') throw new Error(`the webhook refused (${code})`);
}

async function readSome(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece as Uint8Array, { stream: true });
    if (text.length > answerBytesMax) break;
  }
  return text;
}
