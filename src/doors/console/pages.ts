// The two pages there are: what is up, and the set-up of the first user. In English or 中文 as the browser asks or the reader chooses; no script from
// elsewhere, nothing of what is stored.

import type { Health } from '../../archive/index.ts';

export const languages = ['en', 'zh'] as const;
export type Language = (typeof languages)[number];

/** What the reader chose, or what the browser prefers. */
export function languageOf(chosen: unknown, accepted: string | undefined): Language {
  const known = languages.find((each) => each === chosen);
  if (known !== undefined) return known;
  const wanted = (accepted ?? '')
    .split(',')
    .map((each) => /^\s*([a-z]{2,3})(?:-[^;]*)?(?:;\s*q=([0-9.]+))?/i.exec(each))
    .map((match) => ({ name: match?.[1]?.toLowerCase(), weight: Number(match?.[2] ?? 1) }))
    .sort((a, b) => b.weight - a.weight)
    .find(({ name }) => languages.some((each) => each === name));
  return wanted?.name === 'zh' ? 'zh' : 'en';
}

const style = `:root{color-scheme:light}*{box-sizing:border-box}
body{font:16px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;margin:0;padding:1rem;background:#f4f5f7;color:#1d2733}
main{max-width:40rem;margin:6vh auto;padding:1.6rem 2rem 2rem;background:#fff;border:1px solid #dfe3e8;border-radius:10px}
header{display:flex;justify-content:space-between;align-items:baseline;gap:1rem}
h1{font-size:1.45rem;line-height:1.3;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .3rem}p{margin:.5rem 0}
a{color:#1f5fbf}code{background:#f0f2f5;padding:.1rem .35rem;border-radius:4px;overflow-wrap:anywhere}
ul{margin:.4rem 0;padding-left:1.2rem}li{margin:.25rem 0}
.state{display:inline-block;padding:.15rem .75rem;border-radius:1rem;color:#fff;background:#2f7d4f}.degraded{background:#8a5600}.failing{background:#b3261e}
label{display:block;margin:1rem 0 .25rem}
input{font:inherit;padding:.5rem .6rem;width:100%;border:1px solid #8b95a1;border-radius:6px}
button{font:inherit;margin-top:1.4rem;padding:.5rem 1.6rem;border:0;border-radius:6px;background:#1f5fbf;color:#fff}button:disabled{background:#6d7a89}
input:focus-visible,button:focus-visible,a:focus-visible{outline:3px solid #9cc2ff;outline-offset:1px}
.note{color:#52606d}#said:not(:empty){margin-top:1rem;padding:.5rem .8rem;border-radius:6px;background:#fdecea}#said.done{background:#e6f4ea}
@media(max-width:34rem){body{padding:.5rem}main{margin:.5rem auto;padding:1.2rem}button{width:100%}}`;

/** What the browser may load: the page's own style and script, by their digests or by nonce. */
export function policyOf(nonce: string): string {
  return `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
}

type Page = { readonly nonce: string; readonly language: Language; readonly title: string; readonly body: string };

function page({ nonce, language, title, body }: Page): string {
  const other = language === 'en' ? 'zh' : 'en';
  const [tag, otherTag, otherName] = language === 'en' ? ['en', 'zh-CN', '中文'] : ['zh-CN', 'en', 'English'];
  return `<!doctype html><html lang="${tag}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title><link rel="icon" href="data:,"><style nonce="${nonce}">${style}</style></head><body><main>
<header><h1>${title}</h1><a id="other" href="?lang=${other}" lang="${otherTag}" hreflang="${otherTag}">${otherName}</a></header>
${body}</main></body></html>`;
}

const healthWords: Readonly<Record<Language, Readonly<Record<Health, string>>>> = {
  en: { good: 'good', degraded: 'degraded: something needs attention', failing: 'failing' },
  zh: { good: '正常', degraded: '降级：有事项需要处理', failing: '故障' },
};

export type HomeFacts = { readonly health: Health; readonly version: string; readonly hasUser: boolean };

export function homePage(nonce: string, language: Language, facts: HomeFacts): string {
  const state = `<p><span class="state ${facts.health}">${healthWords[language][facts.health]}</span></p>`;
  const links = (healthz: string, metrics: string, status: string, api: string): string =>
    `<ul><li><a href="/healthz"><code>/healthz</code></a> ${healthz}</li><li><a href="/metrics"><code>/metrics</code></a> ${metrics}</li>
<li><a href="/api/status"><code>/api/status</code></a> ${status}</li><li><a href="/api/openapi.json"><code>/api/openapi.json</code></a> ${api}</li></ul>`;
  const body =
    language === 'en'
      ? `<p class="note">A hospital's data archive, version ${facts.version}</p>${state}
${facts.hasUser ? '' : '<h2>No user yet</h2><p>Open the set-up link that the server printed when it started, or run <code>bin/stele user add admin</code>.</p>'}
<h2>What answers here</h2>${links('whether it is up', 'figures for Prometheus', 'how it is; asks for user and password', 'what the API offers')}
<h2>The command line</h2><p><code>bin/stele --help</code> lists every command: put, get, ls, status, verify and more.</p>`
      : `<p class="note">医院数据归档系统，版本 ${facts.version}</p>${state}
${facts.hasUser ? '' : '<h2>尚无用户</h2><p>请打开服务器启动时显示的设置链接，或运行 <code>bin/stele user add admin</code>。</p>'}
<h2>可用接口</h2>${links('是否运行', 'Prometheus 指标', '系统状态，需用户名和密码', 'API 说明')}
<h2>命令行</h2><p><code>bin/stele --help</code> 列出全部命令：put、get、ls、status、verify 等。</p>`;
  return page({ nonce, language, title: 'Stele 碑', body });
}

const setupWords = {
  en: {
    title: 'Set up the first user',
    once: 'This works once, with the link that the server printed.',
    user: 'User name',
    userHint: 'a-z, 0-9, dots, dashes; begins with a letter or digit',
    password: 'Password',
    passwordHint: 'at least 8 characters',
    button: 'Set up',
    noLink: 'This address lacks its secret: open the whole link that the server printed.',
    done: 'Done. Now export the keyring and keep the file elsewhere: bin/stele keys export keys.json',
    unreachable: 'The server does not answer.',
    overTitle: 'The set-up is done',
    over: 'There is a user already. More of them: <code>bin/stele user add NAME</code>. <a href="/">To the start page</a>',
    codes: {
      ACCESS_DENIED: 'This link is another one, or was used already.',
      FILE_EXISTS: 'There is such a user already.',
      ARGUMENT_INVALID: 'The user name or the password is not in its form.',
    },
  },
  zh: {
    title: '设置首个用户',
    once: '请使用服务器显示的链接，仅可使用一次。',
    user: '用户名',
    userHint: '小写字母、数字、点、短横线，以字母或数字开头',
    password: '密码',
    passwordHint: '至少 8 个字符',
    button: '设置',
    noLink: '此地址缺少密钥：请打开服务器显示的完整链接。',
    done: '已完成。请导出密钥环并另行妥善保管：bin/stele keys export keys.json',
    unreachable: '服务器没有响应。',
    overTitle: '设置已完成',
    over: '已有用户。添加更多用户：<code>bin/stele user add NAME</code>。<a href="/">返回首页</a>',
    codes: {
      ACCESS_DENIED: '链接不正确，或已被使用。',
      FILE_EXISTS: '该用户已存在。',
      ARGUMENT_INVALID: '用户名或密码不符合要求。',
    },
  },
} as const satisfies Record<Language, object>;

export function setupOverPage(nonce: string, language: Language): string {
  const words = setupWords[language];
  return page({ nonce, language, title: words.overTitle, body: `<p>${words.over}</p>` });
}

export function setupPage(nonce: string, language: Language): string {
  const words = setupWords[language];
  const said = JSON.stringify({
    codes: words.codes,
    done: words.done,
    noLink: words.noLink,
    unreachable: words.unreachable,
  });
  return page({
    nonce,
    language,
    title: words.title,
    body: `<p class="note">${words.once}</p>
<form id="form"><label for="user">${words.user} <span class="note">(${words.userHint})</span></label>
<input id="user" value="admin" autocomplete="username" autocapitalize="none" spellcheck="false" pattern="[a-z0-9][a-z0-9._@\\-]{0,63}" required>
<label for="password">${words.password} <span class="note">(${words.passwordHint})</span></label>
<input id="password" type="password" minlength="8" maxlength="1024" autocomplete="new-password" required>
<button id="button">${words.button}</button></form><p id="said" role="status"></p>
<script nonce="${nonce}">
const words = ${said};
const at = (id) => document.getElementById(id);
const say = (text, done) => { at('said').textContent = text; at('said').className = done ? 'done' : ''; };
// The secret is behind the #, which no server sees: the other language needs it as well.
at('other').hash = location.hash;
if (location.hash.length < 2) { say(words.noLink, false); at('button').disabled = true; }
at('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  at('button').disabled = true;
  const body = JSON.stringify({ secret: location.hash.slice(1), user: at('user').value, password: at('password').value });
  try {
    const answer = await fetch('/api/setup', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const json = await answer.json().catch(() => ({}));
    if (answer.ok) { at('form').remove(); history.replaceState(null, '', '/setup'); return say(words.done, true); }
    const error = json.error || {};
    say(words.codes[error.code] || error.message || words.unreachable, false);
  } catch { say(words.unreachable, false); }
  at('button').disabled = false;
});
</script>`,
  });
}
