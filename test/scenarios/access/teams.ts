import { expect } from 'vitest';
import { type CommandLine, type ConsulAddress, createCommandLine } from '../../support/command-line.js';

type Register = (
  service: string,
  options?: { readonly client?: string; readonly tags?: readonly string[] },
) => Promise<void>;

/** The configuration of one team, and its identity provider. */
type Team = (owner: string, services: readonly string[], clients: readonly string[]) => CommandLine;

/** The teams `red` and `blue`, each with a web, an API and a provider of its own, and a service that both may call. */
export async function startTeams(consul: ConsulAddress, register: Register): Promise<Team> {
  for (const owner of ['red', 'blue']) {
    await register(`${owner}-api`);
    await register(`${owner}-web`, { client: `${owner}-app`, tags: [`oauth-provider=${owner}`] });
  }
  await register('shared');
  return (owner, services, clients) => {
    const cli = createCommandLine(consul);
    const directory = `${cli.directory}/clients.json`;
    cli.configure({
      owner,
      select: { services, clients },
      providers: [{ name: owner, kind: 'oidc', issuer: 'http://127.0.0.1:9', directory }],
      scopes: { '{service}:connect': { to: '{service}' } },
    });
    cli.idp({
      clientId: `${owner}-app`,
      scopes: [`${owner}-api:connect`, 'shared:connect'],
      attributes: { 'consul-services': `${owner}-web` },
    });
    return cli;
  };
}

/** Both apply, and what `red` then says has nothing of `blue`. */
export async function neverMention(
  red: CommandLine,
  blue: CommandLine,
  access: (destination: string) => Promise<unknown>,
): Promise<void> {
  for (const cli of [red, blue]) expect((await cli.run(['apply', '--yes'])).status).toBe(0);
  expect(await access('red-api')).toEqual({ 'red-web': 'allow' });
  expect(await access('blue-api')).toEqual({ 'blue-web': 'allow' });
  for (const command of [['plan'], ['apply', '--yes'], ['doctor', '--json'], ['what-can', 'red-app']]) {
    const { out, err } = await red.run(command);
    expect(out + err, command[0]).not.toMatch(/blue|shared/);
  }
  expect((await blue.run(['plan', '--detailed-exitcode'])).status).toBe(0);
}
