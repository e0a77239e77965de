import type { SentImage } from '../model/conversation.ts';
import { readImage } from '../model/image.ts';
import { OpenAIError } from './errors.ts';

/** As the document limits `image_url`. */
const URL_CHARACTERS = 20_971_520;
const FORMATS = "['image/jpeg', 'image/png', 'image/gif', 'image/webp']";

/** Reads an image given as data URL; an address on the web is not fetched. Throws OpenAIError, 400, in OpenAI's words. */
export function readImageUrl(url: string, param: string): SentImage {
  if (url.length > URL_CHARACTERS) {
    throw new OpenAIError(400, {
      message: `Invalid '${param}': string too long. Expected a string with maximum length ${URL_CHARACTERS}, but got a string with length ${url.length} instead.`,
      param,
      code: 'string_above_max_length',
    });
  }
  if (/^https?:\/\//i.test(url) && URL.canParse(url)) return { url };
  const found = /^data:([^;,]*);base64,([A-Za-z0-9+/]*={0,2})$/.exec(url);
  const [, type = '', data = ''] = found ?? [];
  if (!type.startsWith('image/')) {
    const got = found === null ? 'a value without one' : `unsupported MIME type '${type}'`;
    throw new OpenAIError(400, {
      message:
        `Invalid '${param}'. Expected a base64-encoded data URL with an image MIME type ` +
        `(e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got ${got}.`,
      param,
      code: 'invalid_value',
    });
  }
  const image = readImage(Buffer.from(data, 'base64'));
  if (image !== undefined) return image;
  throw new OpenAIError(400, {
    message:
      'The image data you provided does not represent a valid image. Please check your input and try again with one ' +
      `of the supported image formats: ${FORMATS}.`,
    param: 'input',
    code: 'invalid_image_format',
  });
}
