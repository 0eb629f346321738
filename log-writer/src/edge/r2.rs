//! [`Bucket`] over the R2 binding `ARCHIVE`. `worker::Bucket` takes bytes of Wasm's memory alone, and would copy there and
//! back what the runtime itself has compressed.

use js_sys::{Array, ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, Response, WritableStream};
use worker::Env;
use worker::worker_sys::R2Bucket;
use worker_runtime::CallError;
use worker_runtime::edge::refused;

use crate::ports::Bucket;

/// The bucket, if there is one.
pub(crate) struct R2(Option<R2Bucket>);

impl R2 {
    pub(crate) fn new(env: &Env) -> Self {
        let binding = Reflect::get(env, &JsValue::from_str("ARCHIVE")).ok();
        Self(
            binding
                .filter(JsValue::is_object)
                .map(JsCast::unchecked_into),
        )
    }
}

#[wasm_bindgen]
extern "C" {
    // Unstable in `web_sys`.
    type CompressionStream;

    #[wasm_bindgen(constructor, catch)]
    fn new(format: &str) -> Result<CompressionStream, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn readable(this: &CompressionStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    fn writable(this: &CompressionStream) -> WritableStream;
}

impl Bucket for R2 {
    type Object = ArrayBuffer;

    fn is_bound(&self) -> bool {
        self.0.is_some()
    }

    async fn compress(&self, lines: String) -> Result<ArrayBuffer, CallError> {
        let bytes = Uint8Array::from(lines.as_bytes());
        drop(lines); // the runtime has a copy
        gzip(bytes).await.map_err(|thrown| refused(&thrown))
    }

    fn size_bytes(&self, object: &ArrayBuffer) -> u64 {
        object.byte_length().into()
    }

    async fn put_new(&self, key: &str, object: &ArrayBuffer) -> Result<(), CallError> {
        let bucket = self
            .0
            .as_ref()
            .ok_or(CallError::MissingBinding("ARCHIVE"))?;
        let put = put_new(bucket, key, object).await;
        put.map_err(|thrown| refused(&thrown))
    }
}

/// Compresses in one go: a put takes no stream of unknown length.
async fn gzip(bytes: Uint8Array) -> Result<ArrayBuffer, JsValue> {
    let stream = CompressionStream::new("gzip")?;
    let writer = stream.writable().get_writer()?;
    let written = writer.write_with_chunk(&bytes);
    let closed = writer.close();
    let read = Response::new_with_opt_readable_stream(Some(&stream.readable()))?.array_buffer()?;
    // All three are awaited: one that fails rejects, and none is left behind.
    let all = Promise::all(&Array::of3(&written, &closed, &read));
    let all: Array = JsFuture::from(all).await?.dyn_into()?;
    all.get(2).dyn_into()
}

/// Puts `object` unless there is one under `key`; the answer is then `null`.
async fn put_new(bucket: &R2Bucket, key: &str, object: &ArrayBuffer) -> Result<(), JsValue> {
    let set = |object: &Object, name: &str, value: &JsValue| {
        Reflect::set(object, &JsValue::from_str(name), value)
    };
    let condition = Object::new();
    set(&condition, "etagDoesNotMatch", &"*".into())?;
    let metadata = Object::new();
    // No content encoding: clients would unpack the object on its way to a reader that does so by its name.
    set(&metadata, "contentType", &"application/gzip".into())?;
    let options = Object::new();
    set(&options, "onlyIf", &condition)?;
    set(&options, "httpMetadata", &metadata)?;
    let put = bucket.put(key.to_owned(), object.into(), options.into())?;
    JsFuture::from(put).await?;
    Ok(())
}
