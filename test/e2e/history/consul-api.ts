/** One answer of Consul's HTTP API, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** X-Consul-Index; 0 without one. */
  readonly index: number;
}

/** Consul as a person with curl has it, past scopemesh. */
export interface ConsulApi {
  request(method: string, path: string, body?: unknown): Promise<Answer>;
  entry(destination: string): Promise<Entry | undefined>;
  entries(): Promise<readonly Entry[]>;
  /** Writes the entry with these sources, or deletes it where none is left. */
  write(entry: Entry): Promise<Answer>;
}

export type Source = Readonly<Record<string, unknown>> & { readonly Name: string };
export type Entry = Readonly<Record<string, unknown>> & {
  readonly Name: string;
  readonly Sources: readonly Source[];
};

const INTENTIONS = '/v1/config/service-intentions';

export function createConsulApi(address: string, aclToken: string): ConsulApi {
  const self: ConsulApi = {
    async request(method, path, body) {
      const answer = await fetch(address + path, {
        method,
        headers: { 'X-Consul-Token': aclToken },
        signal: AbortSignal.timeout(20_000),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const index = Number(answer.headers.get('x-consul-index') ?? 0);
      return { status: answer.status, text: (await answer.text()).trim(), index };
    },
    async entry(destination) {
      const { status, text } = await self.request('GET', `${INTENTIONS}/${encodeURIComponent(destination)}`);
      return status === 404 ? undefined : toEntry(JSON.parse(text));
    },
    async entries() {
      const { text } = await self.request('GET', `${INTENTIONS}?consistent`);
      const all: unknown = JSON.parse(text);
      return Array.isArray(all) ? all.map(toEntry) : [];
    },
    write(entry) {
      if (entry.Sources.length === 0)
        return self.request('DELETE', `${INTENTIONS}/${encodeURIComponent(entry.Name)}`);
      return self.request('PUT', '/v1/config', entry);
    },
  };
  return self;
}

function toEntry(value: unknown): Entry {
  const { Name, Sources, ...rest }: Partial<Record<string, unknown>> = Object(value);
  const sources = Array.isArray(Sources) ? Sources.map(toSource) : [];
  return { ...rest, Name: String(Name), Sources: sources };
}

function toSource(value: unknown): Source {
  const source: Partial<Record<string, unknown>> = Object(value);
  return { ...source, Name: String(source.Name) };
}
