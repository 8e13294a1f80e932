import type { Logger } from '../../observe.js';
import { type HttpAnswer, parseJson } from '../http-client.js';
import { errorCodeOf, type GraphApi } from './graph-api.js';

/** What is asked for by `$select`, with properties that Graph 1.0 may not know everywhere. */
export interface Selection {
  /** Separated by commas. */
  readonly fields: string;
  /** Whether an optional property is still asked for. */
  readonly isWhole: boolean;
  /**
   * Whether asking again, with `fields` as they are then, makes sense after this answer to `url`: Graph refused an
   * optional property, which is left out from now on.
   */
  narrow(answer: HttpAnswer, url: URL): boolean;
}

/**
 * Graph refuses a whole read for one property that it does not know (400, "Could not find a property named …"). So those
 * that not every tenant's Graph is documented to have are asked for until they are refused, which is told once.
 */
export function createSelection(options: {
  readonly provider: string;
  readonly logger: Logger;
  /** The read, for the log. */
  readonly what: string;
  readonly fields: string;
  readonly optional: readonly string[];
}): Selection {
  const { provider, logger, what } = options;
  let optional = options.optional;
  let suspected: readonly string[] = [];
  const leaveOut = (properties: readonly string[]) => {
    optional = optional.filter((name) => !properties.includes(name));
    logger.warn({ provider, what, properties }, 'Graph does not tell a property: it is not looked at');
  };
  const self: Selection = {
    get fields() {
      return [options.fields, ...optional].join(',');
    },
    get isWhole() {
      return optional.length > 0;
    },
    narrow(answer, url) {
      if (answer.status !== 400 || errorCodeOf(answer) === undefined) return false;
      // Another read beside it was refused before.
      if (url.searchParams.get('$select') !== self.fields) return true;
      const text = new TextDecoder().decode(answer.body);
      const named = optional.filter((name) => text.includes(`'${name}'`));
      if (named.length === 0 && optional.length === 0) {
        // Refused without them too: they were not the reason.
        optional = suspected;
        suspected = [];
        return false;
      }
      // Graph's words may be others one day: where it names none, all are left out, and the next answer shows.
      if (named.length === 0) suspected = optional;
      leaveOut(named.length === 0 ? optional : named);
      return true;
    },
  };
  return self;
}

/** As `api.find`, with the selection in place of a query. */
export async function findSelected(
  api: GraphApi,
  path: string,
  selection: Selection,
  what: string,
  signal: AbortSignal,
): Promise<unknown> {
  const place = api.placeOf(what);
  for (;;) {
    const url = api.addressOf(path, { $select: selection.fields });
    const answer = await api.send(url, place, {}, signal);
    if (answer.status === 200) return parseJson(answer, place);
    if (answer.status === 404 && errorCodeOf(answer) === 'Request_ResourceNotFound') return undefined;
    if (!selection.narrow(answer, url)) throw api.refusalOf(answer, place);
  }
}
