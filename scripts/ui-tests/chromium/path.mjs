// Prints the path of the Chromium that npm has installed, unpacked.
import chromium from "@sparticuz/chromium";

console.log(await chromium.executablePath());
