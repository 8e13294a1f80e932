/** Drawn on a field of 20 by 20, in lines. */
const PATHS = {
  now: 'M3 11h3l2-6 4 11 2-5h3',
  why: 'M7.2 7.2a2.9 2.9 0 1 1 4.4 2.5c-1 .6-1.6 1.1-1.6 2.3M10 15.2v.1',
  services: 'M10 2.8 16.5 6.4v7.2L10 17.2 3.5 13.6V6.4zM3.5 6.4 10 10l6.5-3.6M10 10v7.2',
  clients: 'M12.6 3a4.4 4.4 0 1 0 1.2 5.6L17 11.8V15h-2.6v-2h-2l-1.2-1.3M8.6 7.2v.1',
  changes: 'M3.4 5h9M3.4 10h13.2M3.4 15h6M15 3v4M13 5h4',
  audit: 'M5 3h7l3 3v11H5zM7.500 11.500l2 2 3.500-4',
  health:
    'M10 16.6C4 12.600 3 9.800 3 7.600a3.600 3.600 0 0 1 7-1.200 3.600 3.600 0 0 1 7 1.200c0 2.200-1 5-7 9z',
  tokens: 'M5 9V7a5 5 0 0 1 10 0v2M4 9h12v8H4zM10 12v2',
  plan: 'M4 5h12M4 10h5M4 15h5M13.500 9.500v7M10 13h7',
  whatIf: 'M4 16.500V9a4 4 0 0 1 4-4h8M13 2l3 3-3 3M4 12h9M10.500 9.500l2.500 2.500-2.500 2.500',
  waiting: 'M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6.4V10l2.6 1.8',
  map: 'M4 4.4h4v4H4zM12 3h4v4h-4zM12 13h4v4h-4zM8 6.4h2c1.5 0 1-1.4 2-1.4M8 6.4c3 0 1 8.6 4 8.6',
  person:
    'M10 3.4a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4zM3.8 16.8c.7-3 3.2-4.5 6.2-4.5s5.500 1.500 6.200 4.500',
  search: 'M9 3.4a5.600 5.600 0 1 0 0 11.200A5.600 5.600 0 0 0 9 3.400zM13.200 13.200 17 17',
  yes: 'M4.4 10.600 8.400 14.600 15.800 6',
  no: 'M5.400 5.400 14.600 14.600M14.600 5.400 5.400 14.600',
  unknown: 'M7.200 7.400a2.800 2.800 0 1 1 4.200 2.400c-1 .600-1.400 1.100-1.400 2.200M10 15v.100',
  hold: 'M7.200 5v10M12.800 5v10',
  warn: 'M10 3.200 17.600 16.400H2.400zM10 8v4M10 14.100v.100',
  copy: 'M7 7V3.600h9.400V13H13M3.600 7H13v9.400H3.600z',
  arrow: 'M3.600 10h12.400M11.400 5.400 16 10l-4.600 4.600',
  close: 'M5.400 5.400 14.600 14.600M14.600 5.400 5.400 14.600',
} as const;

export type IconName = keyof typeof PATHS;

/** A sign beside a word. It says nothing that the word does not. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
