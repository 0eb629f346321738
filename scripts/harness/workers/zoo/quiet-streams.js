// The local runtime writes what Node writes only where NODE_DEBUG asks for it: winston's streams would log a line at each
// of their steps. To be imported before winston.

import util from "node:util";

util.debuglog = () => () => {};
