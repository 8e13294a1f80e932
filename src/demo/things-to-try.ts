export interface ThingToTry {
  /** What the command does, and the result to expect. */
  readonly what: string;
  /** The words of the command. A narrow screen breaks lines between them. */
  readonly words: readonly string[];
}

export interface DemoEndpoints {
  readonly callers: Readonly<Record<string, string>>;
  readonly consul: { readonly address: string; readonly managementToken: string };
  readonly idp: { readonly address: string; readonly managementToken: string };
  readonly configFile: string;
}

/** Commands to copy. Each works on its own; in this order they tell a story. */
export function thingsToTry(places: DemoEndpoints): readonly ThingToTry[] {
  const { callers, consul, idp, configFile } = places;
  const at = (source: string, path: string) => `${callers[source]}${path}`;
  const asAdmin = `-H 'Authorization: Bearer ${idp.managementToken}'`;
  const scope = `${idp.address}/clients/web-app/scopes/orders:write`;
  const disable = `-d '{"enabled":false}'`;
  return [
    { what: 'web reads orders: 200', words: ['curl', '-i', at('web', '/orders/v1/orders')] },
    {
      what: 'web places an order: 403, its client lacks the scope orders:write',
      words: ['curl', '-i', '-X POST', at('web', '/orders/v1/orders')],
    },
    { what: 'grant the scope: command 2 gets 200', words: ['curl', '-X POST', asAdmin, scope] },
    { what: 'revoke it: command 2 gets 403 again', words: ['curl', '-X DELETE', asAdmin, scope] },
    {
      what: 'an AI agent may not charge, although it has the scope: 403',
      words: ['curl', '-i', '-X POST', at('assistant', '/payments/v1/charges')],
    },
    {
      what: 'disable the client of reports: its calls get 403',
      words: ['curl', '-X PATCH', asAdmin, disable, `${idp.address}/clients/reports-job`],
    },
    {
      what: 'delete intentions by hand: scopemesh restores them',
      words: [
        'curl',
        '-X DELETE',
        `-H 'X-Consul-Token: ${consul.managementToken}'`,
        `${consul.address}/v1/config/service-intentions/orders`,
      ],
    },
    {
      what: 'show what would change: nothing, and one hold',
      words: ['npx scopemesh plan', `-c ${configFile}`],
    },
    {
      what: 'explain why web may not place orders',
      words: ['npx scopemesh explain', `-c ${configFile}`, 'web orders --method POST --path /v1/orders'],
    },
    { what: 'list all decisions so far', words: ['npx scopemesh decisions list', `-c ${configFile}`] },
  ];
}

/** The command on one line. */
export function toCommand(thing: ThingToTry): string {
  return thing.words.join(' ');
}
