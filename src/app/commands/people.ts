// user, token: who may log in, and what tools log in with.

import { checkUser, roles } from '../../archive/index.ts';
import { ArchiveError, tenantId } from '../../base/index.ts';
import { type CommandRun, defineCommand, textFlag } from '../command.ts';
import { tableText, timeText } from '../say-sizes.ts';
import { readSecret } from '../terminal.ts';

const passwordFlag = {
  type: 'string',
  value: 'FILE',
  secret: true,
  says: 'file that holds the password (else STELE_PASSPHRASE, else asked)',
} as const;
const roleFlag = { type: 'string', value: 'ROLE', says: `one of ${roles.join(', ')} (docs/rights.md)` } as const;

function userCommand(word: 'add' | 'password'): ReturnType<typeof defineCommand> {
  const fresh = word === 'add';
  return defineCommand({
    name: `user ${word}`,
    usage: 'NAME',
    says: fresh ? 'make a user' : 'give a user another password',
    args: { least: 1, most: 1 },
    flags: { 'password-file': passwordFlag, ...(fresh ? { role: roleFlag } : {}) },
    where: 'archive',
    ...(fresh ? { creates: true as const } : {}),
    run: async (run: CommandRun) => {
      const { args, flags, terminal, json } = run;
      const [name = ''] = args;
      const role = textFlag(flags, 'role');
      const password = await readSecret(terminal, { prompt: `password of ${name}`, given: run.secret, twice: true });
      // Before anything is opened, and an archive begun for a user who cannot be.
      checkUser({ name, password, role });
      const { archive } = await run.running();
      await archive.accounts.setUser({ name, password, role, fresh });
      terminal.out(json ? JSON.stringify({ user: name }) : `user ${name} ${fresh ? 'made' : 'has another password'}`);
      return 0;
    },
  });
}

export const userAdd = userCommand('add');
export const userPassword = userCommand('password');

export const userList = defineCommand({
  name: 'user list',
  usage: '',
  says: 'list users',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { archive } = await running();
    const users = await archive.accounts.users();
    if (json)
      for (const { key, row } of users)
        terminal.out(
          JSON.stringify({ user: key, role: row.role, disabled: row.disabled, provisional: row.provisional }),
        );
    else
      for (const line of tableText(users.map(({ key, row }) => [key, row.role, row.disabled ? 'disabled' : ''])))
        terminal.out(line);
    return 0;
  },
});

export const userSet = defineCommand({
  name: 'user set',
  usage: 'NAME [--role ROLE] [--tenants N,...] [--disabled | --enabled] [--no-factor]',
  says: "change a user's role and tenants, take their access away or give it back",
  details: 'Ends their sessions. --no-factor is for somebody who lost their second factor and their recovery codes.',
  args: { least: 1, most: 1 },
  flags: {
    role: roleFlag,
    tenants: { type: 'string', value: 'N,...', says: 'numbers of tenants, the first of them is where they work' },
    disabled: { type: 'boolean', says: 'let them in no more' },
    enabled: { type: 'boolean', says: 'let them in again' },
    'no-factor': { type: 'boolean', says: 'ask for no second factor until they begin another' },
  },
  where: 'archive',
  run: async ({ running, args, flags, terminal, json }) => {
    const [name = ''] = args;
    const tenants = textFlag(flags, 'tenants')?.split(',');
    if (tenants?.every((each) => /^[1-9]\d{0,8}$/.test(each)) === false)
      throw new ArchiveError('ARGUMENT_INVALID', '--tenants lists numbers of tenants, with commas between them');
    if (flags['disabled'] === true && flags['enabled'] === true)
      throw new ArchiveError('ARGUMENT_INVALID', '--disabled and --enabled say the opposite');
    const disabled = flags['disabled'] === true ? true : flags['enabled'] === true ? false : undefined;
    const { accounts } = (await running()).archive;
    await accounts.changeUser({
      name,
      role: textFlag(flags, 'role'),
      disabled,
      tenants: tenants?.map((each) => tenantId(Number(each))),
    });
    if (flags['no-factor'] === true) await accounts.removeFactor(name);
    terminal.out(json ? JSON.stringify({ user: name }) : `user ${name} changed`);
    return 0;
  },
});

export const tokenCreate = defineCommand({
  name: 'token create',
  usage: 'NAME [--user USER] [--role ROLE] [--scopes ACTION,...] [--days N]',
  says: 'make a token for a tool: shown once',
  args: { least: 1, most: 1 },
  flags: {
    user: { type: 'string', value: 'USER', says: 'whose it is (default admin)' },
    role: roleFlag,
    scopes: { type: 'string', value: 'ACTION,...', says: 'what it may at most, such as study.find,study.read' },
    days: { type: 'string', value: 'N', says: 'days until it ends (default 365; 0: it does not end)' },
  },
  where: 'archive',
  run: async ({ running, args, flags, terminal, json }) => {
    const [name = ''] = args;
    const days = textFlag(flags, 'days');
    if (days !== undefined && !/^(0|[1-9]\d{0,4})$/.test(days))
      throw new ArchiveError('ARGUMENT_INVALID', '--days is a number of days');
    const { archive } = await running();
    const token = await archive.accounts.createToken({
      user: textFlag(flags, 'user') ?? 'admin',
      name,
      role: textFlag(flags, 'role'),
      scopes: textFlag(flags, 'scopes')?.split(','),
      days: days === undefined ? undefined : Number(days),
    });
    terminal.out(json ? JSON.stringify({ name, token }) : token);
    return 0;
  },
});

export const tokenList = defineCommand({
  name: 'token list',
  usage: '',
  says: 'list tokens, without the tokens themselves',
  args: { least: 0, most: 0 },
  flags: {},
  where: 'archive',
  run: async ({ running, terminal, json }) => {
    const { archive } = await running();
    const tokens = await archive.accounts.tokens();
    if (json) for (const { row } of tokens) terminal.out(JSON.stringify(row));
    else {
      const rows = tokens.map(({ row }) => [
        row.name,
        row.user,
        row.role,
        `made ${timeText(row.createdMs)}`,
        row.expiresMs === undefined ? '' : `ends ${timeText(row.expiresMs)}`,
      ]);
      for (const line of tableText(rows)) terminal.out(line);
    }
    return 0;
  },
});

export const tokenRevoke = defineCommand({
  name: 'token revoke',
  usage: 'NAME',
  says: 'end a token',
  args: { least: 1, most: 1 },
  flags: {},
  where: 'archive',
  run: async ({ running, args, terminal, json }) => {
    const [name = ''] = args;
    const { archive } = await running();
    const count = await archive.accounts.revokeToken(name);
    terminal.out(json ? JSON.stringify({ name, revoked: count }) : `${count} ended`);
    return 0;
  },
});
