// Histograms of latencies. By their own modules: the package's entry brings histograms in WebAssembly and their loader along.
import Float64Histogram from 'hdr-histogram-js/dist/Float64Histogram.js';
import { decompress, doDecode } from 'hdr-histogram-js/dist/JsHistogram.encoding.js';

export { Float64Histogram };

/** A histogram out of HdrHistogram's compressed form in base64, as `encodeIntoCompressedBase64()` gives it. */
export function decodeHistogram(text: string): ReturnType<typeof doDecode> {
  return doDecode(decompress(Buffer.from(text, 'base64')), 64);
}
