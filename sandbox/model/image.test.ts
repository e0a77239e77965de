import { expect } from 'chai';
import { readImage } from './image.ts';
import { PNG } from './testing.ts';

const bytes = (...parts: (string | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))));

const WEBP = ['RIFF', [0, 0, 0, 0], 'WEBP'] as const;
const IMAGES = {
  png: PNG,
  gif: bytes('GIF89a', [0x40, 0x01, 0xc8, 0x00]),
  // APP0 with its length, a fill byte, a table that is no frame, then a frame: 2 bytes length, precision, height, width.
  jpeg: bytes([
    0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc4, 0, 3, 9, 0xff, 0xc2, 0, 11, 8, 0x01, 0x02, 0x03, 0x04,
  ]),
  lossy: bytes(...WEBP, 'VP8 ', Array<number>(10).fill(0), [0x40, 0x41, 0xc8, 0x80]),
  lossless: bytes(...WEBP, 'VP8L', [0, 0, 0, 0, 0x2f], [0x3f, 0xc1, 0x31, 0x00]),
  extended: bytes(...WEBP, 'VP8X', Array<number>(8).fill(0), [0xff, 0x03, 0x00, 0x00, 0x00, 0x01]),
};

describe('the reader of images', () => {
  for (const [name, media_type, width, height] of [
    ['png', 'image/png', 3, 2],
    ['gif', 'image/gif', 320, 200],
    ['jpeg', 'image/jpeg', 0x03_04, 0x01_02],
    ['lossy', 'image/webp', 320, 200],
    ['lossless', 'image/webp', 320, 200],
    ['extended', 'image/webp', 1024, 65_537],
  ] as const) {
    it(`reads ${name}, and refuses it when its header ends early`, () => {
      const data = IMAGES[name];
      expect(readImage(data)).to.deep.equal({ media_type, width, height, bytes: data.length });
      expect(readImage(data.subarray(0, 9))).to.equal(undefined);
    });
  }

  it('takes nothing else for an image', () => {
    const empty = Buffer.concat([PNG.subarray(0, 16), Buffer.alloc(8)]);
    for (const data of [
      Buffer.alloc(0),
      Buffer.from('%PDF-1.7'),
      empty,
      bytes([0xff, 0xd8, 1, 2, 3, 4]),
      bytes(...WEBP, 'VP9 '),
    ]) {
      expect(readImage(data)).to.equal(undefined);
    }
  });
});
