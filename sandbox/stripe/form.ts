/** A value as Stripe's form encoding carries it: text, lists and groups of it. */
export type FormValue = string | FormValue[] | { [key: string]: FormValue };
export type FormObject = { [key: string]: FormValue };

/** Deeper or longer than any request of Stripe's; a guard against `a[999999999]=`. */
const MAX_INDEX = 1000;

/**
 * Reads brackets: `a[b]=1` is a group, `a[]=1` appends to a list, `a[0][b]=1` is the list's first element. Repeated plain
 * names keep the last value. Names that would reach an object's prototype are left out.
 */
export function parseForm(pairs: Iterable<[string, string]>): FormObject {
  const root: FormObject = {};
  for (const [name, value] of pairs) {
    const keys = [...name.matchAll(/^[^[\]]+|\[([^[\]]*)\]/g)].map((match) => match[1] ?? match[0]);
    if (keys.length > 0 && !keys.includes('__proto__')) put(root, keys, value);
  }
  return toLists(root) as FormObject;
}

function put(root: FormObject, keys: string[], value: string): void {
  let at = root;
  for (const [depth, raw] of keys.entries()) {
    const key = raw === '' ? String(Object.keys(at).length) : raw;
    if (depth === keys.length - 1) {
      at[key] = value;
      return;
    }
    const next = Object.hasOwn(at, key) ? at[key] : undefined;
    const group = typeof next === 'object' && !Array.isArray(next) ? next : {};
    at[key] = group;
    at = group;
  }
}

/** Groups whose names count from zero are lists. */
function toLists(value: FormValue): FormValue {
  if (typeof value === 'string' || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, toLists(one)] as const);
  const isList =
    entries.length > 0 && entries.length <= MAX_INDEX && entries.every(([key], index) => key === String(index));
  return isList ? entries.map(([, one]) => one) : Object.fromEntries(entries);
}
