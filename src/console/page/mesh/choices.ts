import { useChoices } from '../parts/filters.js';
import { writeChoices } from '../query.js';
import { address } from '../router.js';

const DEFAULTS = {
  lens: '',
  /** `service:NAME` in the middle, and how far around. */
  focus: '',
  hops: '1',
  find: '',
  /** Looks that are not shown, with commas between them. */
  hide: '',
  /** The group whose services are shown. */
  open: '',
  scope: '',
  /** The ends of the arrow in the panel: `service:NAME` or `group:NAME`. */
  from: '',
  to: '',
};

export type MapChoices = typeof DEFAULTS;

/** All that the reader of a map chose. */
export function useMapChoices() {
  return useChoices<MapChoices>(DEFAULTS);
}

/** The address of the same map with other choices. */
export function mapWith(choices: Partial<MapChoices>): string {
  return `/map${writeChoices(address.value.pathname === '/map' ? address.value.search : '', choices, DEFAULTS)}`;
}

const NO_PICK = { from: '', to: '' };

/** The map around a service. */
export function focusOn(name: string): string {
  return mapWith({ ...NO_PICK, lens: '', focus: `service:${name}`, open: '', scope: '', find: '' });
}

export const asService = (name: string) => `service:${name}`;
export const asGroup = (name: string) => `group:${name}`;
/** The name in `service:NAME` or `group:NAME`. */
export const nameIn = (chosen: string) => chosen.replace(/^(service|group):/, '');
export const isService = (chosen: string) => chosen.startsWith('service:');
