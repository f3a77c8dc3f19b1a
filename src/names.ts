import { MqError } from './errors.ts';

/** Characters of the longest name. */
export const LONGEST_NAME = 200;

export const NAME = /^[A-Za-z0-9_:/][A-Za-z0-9._:/-]*$/;

/** @throws MqError BADNAME unless `name` may name a queue or pipe. */
export function checkName(name: string): string {
  if (name.length > LONGEST_NAME || !NAME.test(name)) {
    throw new MqError('BADNAME', `'${abridged(name)}' cannot be a name`, {
      advice: 'A name is 1 to 200 of the characters A-Z a-z 0-9 . _ : / - and does not start with . or -',
    });
  }
  return name;
}

/** A name as errors show it; a very long one is cut. */
export function abridged(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, 40)}...` : name;
}
