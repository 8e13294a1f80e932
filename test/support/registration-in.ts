/** The first registration of an output of `explain`: the object `service` of its file. */
export function registrationIn(out: string): unknown {
  const line = out.split('\n').find((each) => each.includes('{"service":')) ?? '';
  return (JSON.parse(line.slice(line.indexOf('{"service":'))) as { readonly service: unknown }).service;
}
