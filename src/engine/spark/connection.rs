//! A blocking connection to a cluster on top of the asynchronous client. It has its own runtime, so that any thread can use it.

use std::time::Duration;

use futures_util::StreamExt;
use spark_connect_core::ChannelBuilder;
use spark_connect_core::ExecutePlanResponseReattachableIterator as Operation;
use spark_connect_core::RetryPolicy;
use spark_connect_core::SparkConnectClient;
use spark_connect_proto as proto;
use spark_connect_proto::analyze_plan_request::Analyze;
use spark_connect_proto::analyze_plan_request::InputFiles;
use spark_connect_proto::analyze_plan_response::Result as Analysis;
use spark_connect_proto::execute_plan_response::ArrowBatch;
use spark_connect_proto::expression::ExprType;
use spark_connect_proto::expression::literal::LiteralType;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

use super::answer;
use super::answer::Responses;
use super::answer::Transport;
use super::failure;
use super::failure::Failure;
use crate::engine::Deadline;
use crate::model::value::Value;
use crate::source::Address;

/// The port of Spark Connect.
const PORT: u16 = 15002;

/// The longest wait for the first answer. A cluster may have to start a session first.
const FIRST_ANSWER: Duration = Duration::from_secs(60);

/// The longest wait for a cluster to give up a question, or to end a session.
const GOODBYE: Duration = Duration::from_secs(2);

pub(super) struct Connection {
    runtime: Runtime,
    client: SparkConnectClient,
    user: String,
}

impl Connection {
    /// Opens a connection in a session of the cluster. Without a session, the connection begins one.
    pub(super) fn open(address: &Address, session: Option<&str>) -> Result<Connection, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Unreachable(error.to_string()))?;
        let client = runtime.block_on(connect(address, session))?;
        Ok(Connection { runtime, client, user: address.user.clone().unwrap_or_default() })
    }

    pub(super) fn session_id(&self) -> &str {
        self.client.session_id()
    }

    /// Asks a question, and calls `each` with every batch of the answer. A question without any response is asked once more.
    pub(super) fn ask(
        &self,
        text: &str,
        parameters: &[Value],
        deadline: &Deadline,
        each: &mut dyn FnMut(ArrowBatch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let limit = deadline.remaining();
        self.ask_within(text, parameters, limit, each)
    }

    /// Asks the first question, for which no cluster needs long.
    pub(super) fn greet(
        &self,
        text: &str,
        deadline: &Deadline,
        each: &mut dyn FnMut(ArrowBatch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let limit = deadline.remaining().map_or(FIRST_ANSWER, |remaining| remaining.min(FIRST_ANSWER));
        let answer = self.ask_within(text, &[], Some(limit), each);
        match answer {
            Err(Failure::TimeLimit) if !deadline.has_passed() => {
                let seconds = FIRST_ANSWER.as_secs();
                Err(Failure::Unreachable(format!("there was no answer within {seconds} seconds")))
            }
            other => other,
        }
    }

    fn ask_within(
        &self,
        text: &str,
        parameters: &[Value],
        limit: Option<Duration>,
        each: &mut dyn FnMut(ArrowBatch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut has_answer = false;
        let mut noted = |batch: ArrowBatch| {
            has_answer = true;
            each(batch)
        };
        match self.ask_once(text, parameters, limit, &mut noted) {
            Err(Failure::Unreachable(first)) if !has_answer => {
                self.ask_once(text, parameters, limit, each).map_err(|failure| failure.after(first))
            }
            answer => answer,
        }
    }

    fn ask_once(
        &self,
        text: &str,
        parameters: &[Value],
        limit: Option<Duration>,
        each: &mut dyn FnMut(ArrowBatch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let operation = Operation::new(self.request(text, parameters));
        let mut question = Question { client: &self.client, operation };
        self.runtime.block_on(async {
            let whole = answer::each_batch(&mut question, each);
            let Some(limit) = limit else { return whole.await };
            match tokio::time::timeout(limit, whole).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    let _ = tokio::time::timeout(GOODBYE, self.client.interrupt_all()).await;
                    Err(Failure::TimeLimit)
                }
            }
        })
    }

    /// Returns the files that the cluster reads for a question.
    pub(super) fn files(&self, text: &str, deadline: &Deadline) -> Result<Vec<String>, Failure> {
        let request = proto::AnalyzePlanRequest {
            session_id: self.client.session_id().to_owned(),
            user_context: Some(self.user_context()),
            analyze: Some(Analyze::InputFiles(InputFiles { plan: Some(plan(text, &[])) })),
            ..Default::default()
        };
        let limit = deadline.remaining().unwrap_or(Duration::MAX);
        let answer = async { tokio::time::timeout(limit, self.client.analyze_plan(request)).await };
        match self.runtime.block_on(answer).map_err(|_| Failure::TimeLimit)??.result {
            Some(Analysis::InputFiles(found)) => Ok(found.files),
            _ => Err(Failure::Broken("it has no list of files".to_owned())),
        }
    }

    fn user_context(&self) -> proto::UserContext {
        proto::UserContext { user_id: self.user.clone(), ..Default::default() }
    }

    fn request(&self, text: &str, parameters: &[Value]) -> proto::ExecutePlanRequest {
        proto::ExecutePlanRequest {
            session_id: self.client.session_id().to_owned(),
            user_context: Some(self.user_context()),
            plan: Some(plan(text, parameters)),
            ..Default::default()
        }
    }

    /// Ends the session. A cluster that does not answer ends it by itself.
    pub(super) fn end_session(&self) {
        let ended = async { tokio::time::timeout(GOODBYE, self.client.release_session()).await };
        let _ = self.runtime.block_on(ended);
    }
}

async fn connect(address: &Address, session: Option<&str>) -> Result<SparkConnectClient, Failure> {
    let host = address.host.as_deref().unwrap_or_default();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = address.port.unwrap_or(PORT);
    let mut builder = ChannelBuilder::parse(&format!("sc://{host}:{port}"))?;
    let agent = address.application_name.as_deref().unwrap_or("fk-doctor");
    builder.set("user_agent", agent);
    let tls = address.tls.mode.map(|_| ("use_ssl", "true"));
    let token = address.password().map(|token| ("token", token));
    let user = address.user.as_deref().map(|user| ("user_id", user));
    let session = session.map(|session| ("session_id", session));
    let headers = address.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in [tls, token, user, session].into_iter().flatten().chain(headers) {
        builder.set(name, value);
    }
    let mut client = SparkConnectClient::connect(&builder).await?;
    // The client repeats a call by itself for minutes otherwise.
    client.set_retry_policy(RetryPolicy { max_retries: Some(0), ..RetryPolicy::default() });
    Ok(client)
}

fn plan(text: &str, parameters: &[Value]) -> proto::Plan {
    let literal = |value: &Value| proto::Expression {
        expr_type: Some(ExprType::Literal(proto::expression::Literal {
            literal_type: Some(literal(value)),
            ..Default::default()
        })),
        ..Default::default()
    };
    let query = proto::Sql {
        query: text.to_owned(),
        pos_arguments: parameters.iter().map(literal).collect(),
        ..Default::default()
    };
    let relation = proto::Relation { rel_type: Some(proto::relation::RelType::Sql(query)), ..Default::default() };
    proto::Plan { op_type: Some(proto::plan::OpType::Root(relation)) }
}

fn literal(value: &Value) -> LiteralType {
    match value {
        Value::Null => LiteralType::Null(proto::DataType::default()),
        Value::Integer(number) => LiteralType::Long(*number),
        Value::Real(number) => LiteralType::Double(*number),
        Value::Text(bytes) => LiteralType::String(String::from_utf8_lossy(bytes).into_owned()),
        Value::Blob(bytes) => LiteralType::Binary(bytes.clone().into()),
    }
}

/// A question under way. The client's own calls that repeat themselves are not used: they hide a closed port for minutes.
struct Question<'a> {
    client: &'a SparkConnectClient,
    operation: Operation,
}

impl Transport for Question<'_> {
    async fn begin(&mut self) -> Result<Responses, Failure> {
        let stream = self.client.execute_plan(self.operation.request().clone()).await?;
        Ok(Box::pin(
            stream
                .map(|response| response.map_err(|status| failure::of_status(status.code() as i32, status.message()))),
        ))
    }

    async fn resume(&mut self, after: Option<&str>) -> Result<Responses, Failure> {
        let mut request = self.operation.create_reattach_request().await;
        request.last_response_id = after.map(str::to_owned);
        let stream = self.client.reattach_execute(request).await?;
        Ok(Box::pin(
            stream
                .map(|response| response.map_err(|status| failure::of_status(status.code() as i32, status.message()))),
        ))
    }
}
