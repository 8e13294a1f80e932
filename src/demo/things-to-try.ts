export interface ThingToTry {
  /** What it does and what to expect. */
  readonly what: string;
  /** The command in its words; a narrow screen breaks it between them. */
  readonly words: readonly string[];
}

export interface Places {
  readonly callers: Readonly<Record<string, string>>;
  readonly consul: { readonly address: string; readonly managementToken: string };
  readonly idp: { readonly address: string; readonly managementToken: string };
  readonly configFile: string;
}

/** Lines to copy, in an order that tells a story; each stands for itself. */
export function thingsToTry(places: Places): readonly ThingToTry[] {
  const { callers, consul, idp, configFile } = places;
  const at = (source: string, path: string) => `${callers[source]}${path}`;
  const asAdmin = `-H 'Authorization: Bearer ${idp.managementToken}'`;
  const scope = `${idp.address}/clients/web-app/scopes/orders:write`;
  const disable = `-d '{"enabled":false}'`;
  return [
    { what: 'web reads orders: 200', words: ['curl', '-i', at('web', '/orders/v1/orders')] },
    {
      what: 'web places one: 403, its client lacks the scope orders:write',
      words: ['curl', '-i', '-X POST', at('web', '/orders/v1/orders')],
    },
    { what: 'grant the scope: line 2 is 200', words: ['curl', '-X POST', asAdmin, scope] },
    { what: 'take it away: line 2 is 403 again', words: ['curl', '-X DELETE', asAdmin, scope] },
    {
      what: 'an AI agent may not charge, whatever scope it holds: 403',
      words: ['curl', '-i', '-X POST', at('assistant', '/payments/v1/charges')],
    },
    {
      what: 'disable the client of reports: it reaches nothing more',
      words: ['curl', '-X PATCH', asAdmin, disable, `${idp.address}/clients/reports-job`],
    },
    {
      what: 'delete intentions by hand: scopemesh puts them back',
      words: [
        'curl',
        '-X DELETE',
        `-H 'X-Consul-Token: ${consul.managementToken}'`,
        `${consul.address}/v1/config/service-intentions/orders`,
      ],
    },
    {
      what: 'what would change: nothing, but one is held',
      words: ['npx scopemesh plan', `-c ${configFile}`],
    },
    {
      what: 'why web may not place orders',
      words: ['npx scopemesh explain', `-c ${configFile}`, 'web orders --method POST --path /v1/orders'],
    },
    { what: 'every decision so far', words: ['npx scopemesh decisions list', `-c ${configFile}`] },
  ];
}

/** The command on one line. */
export function toCommand(thing: ThingToTry): string {
  return thing.words.join(' ');
}
