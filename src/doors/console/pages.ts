// The two pages there are: what is up, and the set-up of the first user. English and 中文, no script from elsewhere, nothing of what is stored.

import type { Health } from '../../archive/index.ts';

const style = `body{font:16px/1.6 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;margin:0;background:#f4f5f7;color:#1d2733}
main{max-width:42rem;margin:8vh auto;padding:2rem 2.5rem;background:#fff;border:1px solid #dfe3e8;border-radius:8px}
h1{font-size:1.4rem;margin:0 0 .2rem}h2{font-size:1rem;margin:1.6rem 0 .3rem}p{margin:.4rem 0}code{background:#f0f2f5;padding:.1rem .3rem;border-radius:3px}
.state{display:inline-block;padding:.1rem .6rem;border-radius:1rem;color:#fff;background:#2f7d4f}.degraded{background:#a86a00}.failing{background:#b3261e}
label{display:block;margin:.8rem 0 .2rem}input{font:inherit;padding:.4rem .5rem;width:100%;box-sizing:border-box;border:1px solid #b8c0ca;border-radius:4px}
button{font:inherit;margin-top:1.2rem;padding:.4rem 1.4rem;border:0;border-radius:4px;background:#1f5fbf;color:#fff}`;

/** What the browser may load: the page's own style and script, by their digests or by nonce. */
export function policyOf(nonce: string): string {
  return `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
}

function page(nonce: string, title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style nonce="${nonce}">${style}</style></head><body><main>${body}</main></body></html>`;
}

const healthWords: Readonly<Record<Health, readonly [string, string]>> = {
  good: ['good', '正常'],
  degraded: ['degraded: something needs attention', '降级：有事项需要处理'],
  failing: ['failing', '故障'],
};

export function homePage(nonce: string, facts: { health: Health; version: string }): string {
  const [english, chinese] = healthWords[facts.health];
  return page(
    nonce,
    'Stele 碑',
    `<h1>Stele 碑</h1><p>A hospital's data archive, version ${facts.version}. 医院数据归档系统。</p>
<p><span class="state ${facts.health}">${english} · ${chinese}</span></p>
<h2>What is up</h2><p>The command line, and over HTTP: <code>/healthz</code>, <code>/metrics</code>, <code>/api/status</code> (log in), <code>/api/openapi.json</code>.
The console, the viewer, DICOM, DICOMweb and S3 are not part of this version.</p>
<h2>当前可用</h2><p>命令行；HTTP 接口 <code>/healthz</code>、<code>/metrics</code>、<code>/api/status</code>（需登录）、<code>/api/openapi.json</code>。
管理控制台、影像浏览器、DICOM、DICOMweb 与 S3 不在此版本中。</p>`,
  );
}

export function setupPage(nonce: string): string {
  return page(
    nonce,
    'Stele 碑: set-up',
    `<h1>Set-up of the first user · 设置首个用户</h1><p>This page works once. 本页面仅可使用一次。</p>
<form id="form"><label>User · 用户名<input id="user" value="admin" autocomplete="username" required></label>
<label>Password, at least 8 characters · 密码（至少 8 位）<input id="password" type="password" minlength="8" autocomplete="new-password" required></label>
<button>Set up · 设置</button></form><p id="said" role="status"></p>
<script nonce="${nonce}">
const form = document.getElementById('form'), said = document.getElementById('said');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const secret = location.hash.slice(1);
  const body = JSON.stringify({ secret, user: document.getElementById('user').value, password: document.getElementById('password').value });
  const answer = await fetch('/api/setup', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const json = await answer.json().catch(() => ({}));
  said.textContent = answer.ok ? 'Done · 完成' : ((json.error && json.error.message) || 'failed · 失败');
  if (answer.ok) { form.remove(); history.replaceState(null, '', '/setup'); }
});
</script>`,
  );
}
