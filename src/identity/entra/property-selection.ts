import type { Logger } from '../../observe.js';
import { type HttpAnswer, parseJson } from '../http-client.js';
import { errorCodeOf, type GraphApi, isNotFound } from './graph-api.js';

/** The properties of a `$select`, some of which Graph 1.0 may not know everywhere. */
export type PropertySelection = ReturnType<typeof createPropertySelection>;

/**
 * Graph refuses a whole read because of one unknown property (400, "Could not find a property named …"). So properties that
 * are not documented for every tenant are selected until Graph refuses them. That is logged once.
 */
export function createPropertySelection(
  { provider, logger }: { readonly provider: string; readonly logger: Logger },
  /** The read, for the log. */
  what: string,
  fields: string,
  mayBeUnknown: readonly string[],
) {
  let optional = mayBeUnknown;
  let suspected: readonly string[] = [];
  const leaveOut = (properties: readonly string[]) => {
    optional = optional.filter((name) => !properties.includes(name));
    logger.warn({ provider, what, properties }, 'Graph does not know these properties: they are not read');
  };
  const selected = () => [fields, ...optional].join(',');
  return {
    /** Comma-separated. */
    get fields(): string {
      return selected();
    },
    /** Whether any optional property is still selected. */
    get hasOptional(): boolean {
      return optional.length > 0;
    },
    /**
     * Whether the request should be repeated with the current `fields`, after this answer to `url`: Graph refused an optional
     * property, which is left out from now on.
     */
    narrow(answer: HttpAnswer, url: URL): boolean {
      if (answer.status !== 400 || errorCodeOf(answer) === undefined) return false;
      // A concurrent read was refused before.
      if (url.searchParams.get('$select') !== selected()) return true;
      const text = new TextDecoder().decode(answer.body);
      const named = optional.filter((name) => text.includes(`'${name}'`));
      if (named.length === 0 && optional.length === 0) {
        // The optional properties were not the reason: Graph refused without them too.
        optional = suspected;
        suspected = [];
        return false;
      }
      // If Graph's message names no property, all are left out, and the next answer shows whether that was right.
      if (named.length === 0) suspected = optional;
      leaveOut(named.length === 0 ? optional : named);
      return true;
    },
  };
}

/** As `api.find`, with a selection. */
export async function findSelected(
  api: GraphApi,
  path: string,
  selection: PropertySelection,
  what: string,
  signal: AbortSignal,
): Promise<unknown> {
  const place = api.placeOf(what);
  for (;;) {
    const url = api.addressOf(path, { $select: selection.fields });
    const answer = await api.send(url, place, {}, signal);
    if (answer.status === 200) return parseJson(answer, place);
    if (isNotFound(answer)) return undefined;
    if (!selection.narrow(answer, url)) throw api.refusalOf(answer, place);
  }
}
