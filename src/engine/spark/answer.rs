//! Reads the whole answer to a question.
//!
//! A cluster ends a stream of responses whenever it likes: Spark does after two minutes or a gigabyte, and waits to be asked
//! for the rest. An answer is whole only when the response `ResultComplete` has come. Until then, the stream is taken up again
//! after the last response that came. A client that took the clean end of a stream for the end of the answer would report a
//! long `count(*)` as no rows at all.

use std::pin::Pin;
use std::time::Duration;
use std::time::Instant;

use futures_util::Stream;
use futures_util::StreamExt;
use spark_connect_proto::ExecutePlanResponse;
use spark_connect_proto::execute_plan_response::ArrowBatch;
use spark_connect_proto::execute_plan_response::ResponseType;

use super::failure::Failure;

pub(super) type Responses = Pin<Box<dyn Stream<Item = Result<ExecutePlanResponse, Failure>>>>;

/// A stream that ends sooner without a response is counted as idle.
const SOON: Duration = Duration::from_millis(200);

/// After so many idle streams in a row, the cluster counts as broken.
const MOST_IDLE: usize = 50;

/// The requests for the responses of one question.
pub(super) trait Transport {
    /// Asks the question.
    async fn begin(&mut self) -> Result<Responses, Failure>;

    /// Asks for the responses after this one; for all responses if none has come.
    async fn resume(&mut self, after: Option<&str>) -> Result<Responses, Failure>;
}

/// Calls `each` with every batch of the answer, in order. Returns an error unless the answer is whole.
pub(super) async fn each_batch(
    transport: &mut impl Transport,
    each: &mut dyn FnMut(ArrowBatch) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut stream = transport.begin().await?;
    let mut last: Option<String> = None;
    let mut idle = 0;
    let mut opened = Instant::now();
    loop {
        match stream.next().await {
            Some(Ok(response)) => {
                idle = 0;
                opened = Instant::now();
                if !response.response_id.is_empty() {
                    last = Some(response.response_id);
                }
                match response.response_type {
                    Some(ResponseType::ResultComplete(_)) => return Ok(()),
                    Some(ResponseType::ArrowBatch(batch)) => each(batch)?,
                    _ => {}
                }
            }
            Some(Err(failure)) => return Err(failure.in_mid_answer()),
            None => {
                idle = if opened.elapsed() < SOON { idle + 1 } else { 0 };
                if idle > MOST_IDLE {
                    return Err(Failure::Broken("it ends every stream before the answer is whole".to_owned()));
                }
                stream = transport.resume(last.as_deref()).await.map_err(Failure::in_mid_answer)?;
                opened = Instant::now();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use spark_connect_proto::execute_plan_response::ResultComplete;

    use super::*;

    /// A cluster whose streams end after a number of responses.
    struct Script {
        responses: Vec<ExecutePlanResponse>,
        /// The number of responses of each stream, the first one first. Later streams have all that is left.
        lengths: Vec<usize>,
        resumed: usize,
    }

    impl Script {
        fn stream_from(&mut self, first: usize) -> Responses {
            let length = if self.lengths.is_empty() { usize::MAX } else { self.lengths.remove(0) };
            let some: Vec<_> = self.responses.iter().skip(first).take(length).cloned().map(Ok).collect();
            Box::pin(stream::iter(some))
        }
    }

    impl Transport for Script {
        async fn begin(&mut self) -> Result<Responses, Failure> {
            Ok(self.stream_from(0))
        }

        async fn resume(&mut self, after: Option<&str>) -> Result<Responses, Failure> {
            self.resumed += 1;
            let known = self.responses.iter().position(|response| Some(response.response_id.as_str()) == after);
            Ok(self.stream_from(known.map_or(0, |at| at + 1)))
        }
    }

    fn response(id: usize, kind: Option<ResponseType>) -> ExecutePlanResponse {
        ExecutePlanResponse { response_id: format!("id-{id}"), response_type: kind, ..ExecutePlanResponse::default() }
    }

    /// Three batches among messages of other kinds, and the end of the answer.
    fn whole_answer() -> Vec<ExecutePlanResponse> {
        let batch = |row_count| Some(ResponseType::ArrowBatch(ArrowBatch { row_count, ..ArrowBatch::default() }));
        let end = Some(ResponseType::ResultComplete(ResultComplete {}));
        let kinds = [None, batch(1), None, batch(2), batch(3), end];
        kinds.into_iter().enumerate().map(|(id, kind)| response(id, kind)).collect()
    }

    fn read(script: &mut Script) -> Result<Vec<i64>, Failure> {
        let mut rows = Vec::new();
        let take = &mut |batch: ArrowBatch| {
            rows.push(batch.row_count);
            Ok(())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(each_batch(script, take))?;
        Ok(rows)
    }

    #[test]
    fn answer_is_whole_wherever_its_streams_end() {
        let responses = whole_answer();
        for first in 0..responses.len() {
            for second in 0..responses.len() {
                let mut script =
                    Script { responses: responses.clone(), lengths: vec![first, second, 0, 1], resumed: 0 };
                assert_eq!(read(&mut script).unwrap(), [1, 2, 3], "after {first} and {second} responses");
                assert!(script.resumed > 0);
            }
        }
    }

    #[test]
    fn answer_without_its_end_is_an_error() {
        for length in 0..whole_answer().len() {
            let responses: Vec<_> = whole_answer().into_iter().take(length).collect();
            let mut script = Script { responses, lengths: Vec::new(), resumed: 0 };
            assert!(matches!(read(&mut script), Err(Failure::Broken(_))), "{length} responses");
        }
    }
}
