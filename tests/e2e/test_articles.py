"""The help articles answer their customers' questions, and say nothing that does not exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.routing import Route

from ingest.cli import build_parser as build_ingest_parser
from ingest.config import IngestSettings
from knowledge.config import FILE_KEYS, variables_of
from knowledge.documents import Scope
from knowledge.embedder import load_embedder
from knowledge.releases import ReleaseStore
from knowledge.retriever import Retriever
from supportbot.cli import build_parser as build_bot_parser
from supportbot.config import BotSettings
from supportbot.web.app import create_app

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "knowledge" / "articles"
ARTICLES = sorted(FOLDER.glob("*.md"))
BASE_URL = "https://help.example.com"

# A question in a customer's words, and the article that must be among the first three found.
QUESTIONS = [
    ("How do I install supportbot?", "install"),
    ("Which Python version is required?", "install"),
    ("Do I need a GPU?", "install"),
    ("How can I ask something from the command line?", "first-answer"),
    ("Can I chat with the bot in my terminal?", "first-answer"),
    ("How do I add my own documents?", "add-documents"),
    ("How do I make citations point to our public help centre?", "add-documents"),
    ("Can it read PDF files?", "formats-and-front-matter"),
    ("Our manual is a scanned PDF, can the bot read it?", "formats-and-front-matter"),
    ("Can I add an EPUB book?", "formats-and-front-matter"),
    ("What can I write in the front matter of a page?", "formats-and-front-matter"),
    ("Can I add my website by its URL?", "websites-and-sitemaps"),
    ("How do I import all pages of our sitemap?", "websites-and-sitemaps"),
    ("Does the crawler obey robots.txt?", "websites-and-sitemaps"),
    ("May two machines sync to the same Chroma server?", "chroma-server"),
    ("How do I sync documentation from GitHub?", "git-repositories"),
    ("Which branch of the git repository is read?", "git-repositories"),
    ("Can the bot read our Zendesk help center?", "help-desk-systems"),
    ("Where do I put the Intercom API token?", "help-desk-systems"),
    ("How do I import a Confluence space?", "confluence-and-notion"),
    ("Will restricted wiki pages be shown to customers?", "confluence-and-notion"),
    ("How do I connect Notion?", "confluence-and-notion"),
    ("Can it learn from our GitHub issues?", "github-and-json-feeds"),
    ("How do I import articles from our own CMS with a JSON feed?", "github-and-json-feeds"),
    ("Can I import articles from a JSONL file?", "articles-as-json"),
    ("How do I add a Notion export?", "exports-and-archives"),
    ("Can it read a ZIP file?", "exports-and-archives"),
    ("Does it read Sphinx or AsciiDoc documentation?", "formats-and-front-matter"),
    ("Can I use an Excel sheet of questions and answers?", "office-files-and-faq-sheets"),
    ("Are speaker notes of PowerPoint slides read?", "office-files-and-faq-sheets"),
    ("How do I import a Word document?", "office-files-and-faq-sheets"),
    ("How do I delete a document from the knowledge base?", "update-and-remove-documents"),
    ("My sync says it refuses because there are no documents", "update-and-remove-documents"),
    ("How can I sync automatically every ten minutes?", "keep-up-to-date"),
    ("What does exit code 3 mean?", "keep-up-to-date"),
    ("Can each source have its own schedule?", "keep-up-to-date"),
    ("Can the bot sync by itself on a schedule?", "keep-up-to-date"),
    ("How do I trigger a sync over HTTP?", "admin-api"),
    ("Can our CMS start a sync with a webhook?", "admin-api"),
    ("Why did some of my documents fail in the sync?", "failed-documents"),
    ("When is a failed document tried again?", "failed-documents"),
    ("The sync refuses because many documents are gone", "troubleshooting"),
    ("How do I undo a bad sync?", "releases-and-rollback"),
    ("How many old releases are kept?", "releases-and-rollback"),
    ("Why is my page not found by the search?", "search-the-knowledge-base"),
    ("How does hybrid search with BM25 and vectors work?", "search-the-knowledge-base"),
    ("How do I connect Slack?", "connecting-slack"),
    ("Where do I get the xapp token?", "connecting-slack"),
    ("How do I use Slack with a signing secret instead of Socket Mode?", "slack-over-http"),
    ("How do I ask the bot a follow-up in a Slack thread?", "using-the-bot-in-slack"),
    ("The bot stays silent in our Slack channel", "slack-troubleshooting"),
    ("Slack says missing_scope", "slack-troubleshooting"),
    ("How do I put the chat widget on my website?", "embed-the-widget"),
    ("Does the widget set cookies?", "embed-the-widget"),
    ("How do I create a widget key?", "widget-keys-and-origins"),
    ("The browser console says CORS blocked the request", "widget-keys-and-origins"),
    ("How do I call the REST API to ask a question?", "http-api"),
    ("What is the rate limit for a visitor?", "http-api"),
    ("How do I stream an answer with server-sent events?", "streaming-api"),
    ("Where do I put the configuration file?", "settings"),
    ("Which one wins, environment variable or supportbot.toml?", "settings"),
    ("How do I switch to MiniMax-M2.5?", "choose-the-model"),
    ("Can I use fallback models when the first is down?", "choose-the-model"),
    ("Does it work without an API key?", "api-key-and-quote-mode"),
    ("How much does one answer cost?", "costs-and-budget"),
    ("How can I limit daily spending?", "costs-and-budget"),
    ("Does it pay twice for the same question?", "costs-and-budget"),
    ("How can I find out why the bot gave a wrong answer?", "explain-or-report-an-answer"),
    ("Can customers report a bad answer?", "explain-or-report-an-answer"),
    ("What do I send to the vendor about a bad answer?", "explain-or-report-an-answer"),
    ("How are citations verified?", "checked-citations"),
    ("Can the bot hallucinate or be wrong?", "checked-citations"),
    ("Can somebody make the bot show its system prompt?", "checked-citations"),
    ("What happens when the bot does not know the answer?", "when-the-bot-does-not-know"),
    ("How can I make the bot refuse less often?", "when-the-bot-does-not-know"),
    ("In which language does it answer?", "when-the-bot-does-not-know"),
    ("How do I use a multilingual embedding model?", "change-the-embedding-model"),
    ("Does the installed model need PyTorch?", "change-the-embedding-model"),
    ("Can several bots share one Chroma server?", "chroma-server"),
    ("How do I keep internal documents away from customers?", "audiences"),
    ("Is my data sent anywhere?", "conversations-and-privacy"),
    ("How do I erase a conversation?", "conversations-and-privacy"),
    ("How do I delete the data of one customer?", "conversations-and-privacy"),
    ("How do I back up the bot?", "backup-and-restore"),
    ("Does the link of a source jump to the quoted sentence?", "checked-citations"),
    ("How do I measure the quality of the search?", "evaluation"),
    ("How many wrong sentences does the check of citations catch?", "evaluation"),
    ("What does nDCG mean?", "evaluation"),
    ("Can I get the evaluation report as an HTML page?", "evaluation"),
    ("How do I check that my installation is right?", "doctor"),
    ("Which models does my endpoint offer?", "choose-the-model"),
    ("Can the model search the documentation again by itself?", "let-the-model-search"),
    ("Is agent mode worth it?", "let-the-model-search"),
    ("Can each Slack workspace have its own budget?", "costs-and-budget"),
    ("Which questions could the bot not answer last week?", "reports-and-receipts"),
    ("Which old answers cite a page that has changed?", "reports-and-receipts"),
    ("What does 'another sync is running' mean?", "troubleshooting"),
    ("I get certificate errors when the bot calls the model", "troubleshooting"),
    ("How do I run it in a Docker container?", "docker"),
    ("How do I run it as a service on Linux with systemd?", "systemd"),
    ("How do I make sure that a sync does not break known answers?", "golden-questions"),
    ("What does must_not_say mean?", "golden-questions"),
    ("Two of our pages say different prices, does it notice?", "contradictions-and-copies"),
    (
        "What is a customer told when two articles contradict each other?",
        "contradictions-and-copies",
    ),
    ("How do I find broken links between my articles?", "contradictions-and-copies"),
    ("Can phone numbers be removed from documents?", "privacy-and-hidden-text"),
    ("What happens with an API key in a document?", "privacy-and-hidden-text"),
    ("Can I write the answer to a question myself?", "curated-answers"),
    ("How can I fix the exact answer that the bot gives to a question?", "curated-answers"),
    ("What happens if a customer wants to talk to a human?", "handing-over-to-people"),
    ("Does the bot reply to greetings like hello?", "handing-over-to-people"),
    ("Is there a Prometheus metrics endpoint?", "health-and-metrics"),
]

# What the bot itself must cite, asked without a model.
CITED = [
    ("How do I connect Slack?", "connecting-slack"),
    ("How do I undo a bad sync?", "releases-and-rollback"),
    ("Can I use the bot without an API key?", "api-key-and-quote-mode"),
]


# What is quoted first, so that nobody reads on before the answer.
QUOTED_FIRST = [
    ("How do I embed the widget on my website?", "Embed the widget in your website with one line"),
    ("How do I change the model?", "Change the language model"),
    ("What happens to my data?", "What happens to my data, and what is sent to others?"),
    ("How do I delete the data of one customer?", "Delete the data of one customer"),
]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("articles")
    command = ["ingest.cli", "sync", str(FOLDER), "--base-url", BASE_URL, "--json"]
    synced = json.loads(run(command, home))
    assert synced["promoted"]
    assert synced["documents"]["added"] == len(ARTICLES)
    assert synced["failures"] == []
    return home


@pytest.fixture(scope="session")
def retriever(home: Path) -> Iterator[Retriever]:
    opened = Retriever(ReleaseStore(home), load_embedder(None))
    yield opened
    opened.close()


@pytest.mark.parametrize(("question", "article"), QUESTIONS)
def test_a_customers_question_finds_its_article(
    retriever: Retriever, question: str, article: str
) -> None:
    found = [chunk.document_id for chunk in retriever.retrieve(question, Scope()).chunks]
    first_pages = list(dict.fromkeys(found))[:3]
    assert f"{article}.md" in first_pages


@pytest.mark.parametrize(("question", "heading"), QUOTED_FIRST)
def test_the_section_that_answers_is_quoted_first(
    retriever: Retriever, question: str, heading: str
) -> None:
    assert retriever.retrieve(question, Scope()).chunks[0].heading == heading


def test_every_article_is_asked_for() -> None:
    assert {article for _, article in QUESTIONS} == {page.stem for page in ARTICLES}


@pytest.mark.parametrize(("question", "article"), CITED)
def test_the_bot_cites_the_article_without_a_model(home: Path, question: str, article: str) -> None:
    answer = json.loads(run(["supportbot.cli", "ask", question, "--json"], home))
    assert answer["outcome"] == "quoted"
    cited = {citation["document_id"]: citation for citation in answer["citations"]}
    assert f"{article}.md" in cited
    citation = cited[f"{article}.md"]
    assert citation["link"].startswith(f"{BASE_URL}/{article}#:~:text=")
    assert citation["quote"] in (FOLDER / f"{article}.md").read_text(encoding="utf-8")


def run(command: list[str], home: Path) -> str:
    """Return what the module prints when it runs as a process of its own, with no settings."""
    kept = {name: value for name, value in os.environ.items() if not is_setting(name)}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={**kept, "SUPPORTBOT_HOME": str(home), "PYTHONPATH": str(ROOT)},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# What the articles say exists ------------------------------------------------------------------

SETTING = re.compile(r"\b(?:SUPPORTBOT|SLACK|RUNAPI|OPENAI)_[A-Z_]+\b")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def is_setting(name: str) -> bool:
    return SETTING.fullmatch(name) is not None


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands_of(text: str) -> list[str]:
    blocks = [body.replace("\\\n", " ") for kind, body in FENCE.findall(text) if kind == "sh"]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("supportbot")]


COMMANDS = [(page.stem, line) for page in ARTICLES for line in commands_of(text_of(page))]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_in_an_article_is_understood(page: str, line: str) -> None:
    program, *arguments = shlex.split(line)
    parsers = {"supportbot": build_bot_parser, "supportbot-ingest": build_ingest_parser}
    parsers[program]().parse_args(arguments)


@pytest.mark.parametrize("page", ARTICLES, ids=lambda page: page.stem)
def test_an_article_names_only_settings_that_exist(page: Path) -> None:
    known = {"SUPPORTBOT_CONFIG"}
    for settings in (BotSettings, IngestSettings):
        for field in settings.model_fields.values():
            known |= set(variables_of(field))
    assert set(SETTING.findall(text_of(page))) <= known


@pytest.mark.parametrize("page", ARTICLES, ids=lambda page: page.stem)
def test_a_settings_file_in_an_article_is_valid(page: Path) -> None:
    for kind, body in FENCE.findall(text_of(page)):
        if kind == "toml":
            values = tomllib.loads(body)
            assert set(values) <= FILE_KEYS
            for settings in (BotSettings, IngestSettings):
                known = settings.model_fields.keys() & values.keys()
                settings.model_validate({name: values[name] for name in known})


@pytest.mark.parametrize("page", ARTICLES, ids=lambda page: page.stem)
def test_an_article_names_only_files_that_exist(page: Path) -> None:
    for name in re.findall(r"\bdeploy(?:/[\w.-]+)+", text_of(page)):
        assert (ROOT / name.rstrip(".")).exists()


@pytest.mark.parametrize("page", ARTICLES, ids=lambda page: page.stem)
def test_an_article_names_only_routes_that_exist(page: Path) -> None:
    services = SimpleNamespace(settings=BotSettings(), answerer=None, threads=None)
    known = {
        f"{method} {re.sub('{.*?}', '{id}', route.path)}"
        for route in create_app(services).routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    assert set(re.findall(r"`((?:GET|POST|DELETE) /[^`]+)`", text_of(page))) <= known


@pytest.mark.parametrize("page", ARTICLES, ids=lambda page: page.stem)
def test_an_article_has_a_title_and_headings_a_customer_can_scan(page: Path) -> None:
    text = text_of(page)
    title = re.match(r"---\ntitle: (.+)\n---\n\n# (.+)\n", text)
    assert title is not None
    assert title[1] == title[2]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", page.stem)
    assert text.count("\n## ") >= 2


def test_no_two_articles_share_a_title() -> None:
    titles = [text_of(page).splitlines()[1] for page in ARTICLES]
    assert len(set(titles)) == len(titles) >= 22
