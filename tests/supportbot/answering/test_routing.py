"""What asks nothing is told by its whole text, and no question is taken for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge.documents import Evidence, Hit
from supportbot.answering.routing import Route, asked_back, folded, reply, route
from supportbot.answering.texts import TEXTS
from supportbot.conversation import Outcome
from tests.e2e.test_articles import QUESTIONS
from tests.supportbot.answering.passages import CHUNKS

DATASET = Path(__file__).parents[2] / "data" / "mtrag-govt" / "queries.jsonl"

# Kind, language (-: the text does not tell) and messages.
ASKS_NOTHING = """
greeting - | Hi | hi!!! | HEY | 👋 | :wave: | Hi 🙂 | hiiii
greeting en | hello! | Hey there | Hello there, good morning | Good evening everyone
greeting en | Hi all, hello
greeting de | Guten Tag | Hallo zusammen! | Moin moin | hi, guten Morgen | Grüß Gott
greeting fr | Bonjour ! | Bonsoir à tous | salut, ça va ?
greeting es | ¡Hola! | Buenos días | hola buenas tardes
greeting it | Ciao | Buongiorno a tutti
greeting pt | Olá | Bom dia pessoal | Oi, tudo bem?
greeting nl | Hoi | Goedemorgen allemaal
greeting zh | 你好！ | 您好 | 早上好，大家好
greeting ja | こんにちは | おはようございます！
thanks - | ok | 👍 | 👍👍 | 🙏 | Ok 👍 | :+1: | ok!
thanks en | Thanks | thank you so much! | hi, thanks! | ok thanks | Great, that helped | thx
thanks en | Got it.
thanks de | Danke! | Vielen Dank | ok danke | Hallo, danke für die Hilfe
thanks de | alles klar, danke schön
thanks fr | Merci beaucoup | d'accord, merci | merci pour votre aide
thanks es | Muchas gracias | vale, gracias | ¡Gracias por su ayuda!
thanks it | Grazie mille | va bene, grazie
thanks pt | Obrigado | muito obrigada!
thanks nl | Dank je wel | oké, bedankt
thanks zh | 谢谢 | 好的，谢谢
thanks ja | ありがとうございます | わかりました、ありがとう
goodbye en | bye | Thanks, bye! | ok goodbye | no thanks | That's all, thank you
goodbye de | Tschüss | danke, auf Wiedersehen | nein danke
goodbye fr | Au revoir | merci, bonne journée
goodbye es | Adiós | gracias, hasta luego
goodbye it | Arrivederci | no grazie
goodbye pt | Tchau | até logo!
goodbye nl | Doei | tot ziens
goodbye zh | 再见 | 谢谢，再见
goodbye ja | さようなら
about en | Who are you? | Hi, what can you do? | What's your name? | what are you
about de | Wer bist du? | Hallo, was können Sie für mich tun?
about fr | Qui êtes-vous ? | Bonjour, que peux-tu faire ?
about es | ¿Quién eres? | ¿Qué puedes hacer?
about it | Chi sei? | Cosa sai fare?
about pt | Quem é você?
about nl | Wie ben je? | Hoi, wat kun je?
about zh | 你是谁？ | 你好，你能做什么？
about ja | あなたは誰ですか？
human en | Are you human? | Are you a robot? | am I talking to a real person? | Is this a bot?
human en | Hi, are you a bot or a human?
human de | Bist du ein Mensch? | Spreche ich mit einem echten Menschen?
human fr | Êtes-vous un robot ?
human es | ¿Eres una persona real?
human en | I want a human | talk to an agent | Connect me with support
human en | Can I speak to a real person? | agent | human please | Representative!
human en | I need to talk to someone about my refund
human en | Hi, can you transfer me to a human agent please
human en | This is useless. Let me talk to a person.
human en | Could you put me through to customer service?
human en | I'd like to speak with a representative | I don't want to talk to a bot
human en | please get me a human | Is there a real person I can talk to?
human en | speak to a manager now | can i chat with a live agent
human en | I would rather talk to somebody from your team | escalate this to a human
human en | I need help from a human | Can I talk to a human, not a bot?
human de | echten Menschen sprechen | Ich möchte mit einem Mitarbeiter sprechen
human de | Mitarbeiter bitte | Kann ich bitte mit jemandem aus dem Support reden?
human de | Verbinden Sie mich mit dem Kundendienst | Ich will einen Menschen
human de | ich möchte mit einem echten Menschen über meine Rechnung sprechen
human de | Können Sie mich mit einem Berater verbinden?
human fr | Je veux parler à un humain | Puis-je parler avec un conseiller ?
human fr | parler à quelqu'un | Mettez-moi en relation avec le service client
human fr | J'aimerais parler à une vraie personne
human es | Quiero hablar con una persona | hablar con un agente
human es | Páseme con un asesor, por favor | ¿Puedo hablar con alguien?
human es | necesito un agente humano
human it | Voglio parlare con una persona | vorrei parlare con un operatore | operatore
human pt | Quero falar com uma pessoa | falar com um atendente | Posso falar com alguém?
human nl | Ik wil met een medewerker spreken | Kan ik met een mens praten?
human nl | Verbind me door met de helpdesk
human zh | 转人工 | 人工客服 | 我想和真人聊聊 | 请帮我转人工客服 | 可以转人工吗
human ja | 人と話したい | 担当者につないでください | オペレーターお願いします
insult - | You are an idiot | fuck you | stupid bot! | du bist so dumm | Arschloch | 傻逼 | バカ
insult - | what a stupid useless bot | va te faire foutre | eres idiota | sei stupido
insult - | rot op, klootzak
vague en | help | Help!!! | Hi, I need help please | I have a question | can you help me?
vague en | Hello, quick question
vague de | Hilfe! | Hallo, ich habe eine Frage | Können Sie mir helfen?
vague fr | Aidez-moi | Bonjour, j'ai une question
vague es | ayuda | Hola, necesito ayuda por favor
vague it | aiuto | ho una domanda
vague pt | Ajuda | preciso de ajuda
vague nl | hulp | Ik heb een vraag
vague zh | 帮帮我 | 你好，我有一个问题
vague ja | 助けて | 質問があります
empty - | ??? | ... | ! | 🤔 | ? | - | 😡 |
unclear en | it doesn't work | problem | Problem! | the | this | why? | Hi, it is not working
unclear en | error | yes please
unclear de | es funktioniert nicht | Fehler | warum? | geht nicht
unclear fr | ça ne marche pas | pourquoi ?
unclear es | no funciona | ¿por qué?
unclear it | non funziona | perché?
unclear pt | não funciona | um erro
unclear nl | het werkt niet | waarom?
unclear zh | 出错了 | 为什么？
unclear ja | エラー | 動きません
""".strip().splitlines()

# Questions that share words with all that, and must go their way.
LOOK_ALIKES = """
Who are you working with for payments?
What can you do about a lost parcel?
Is this a person who can sign for me?
Are you a bot that reads PDF files?
I want to talk to a person about my invoice, how do I download it?
How do I add an agent to my team?
What does a human reviewer do?
Which roles exist: agent, operator, admin?
I need an agent. How do I add one?
How can I talk to a human?
How can the bot, when customers ask for it, connect them to a person?
Does the bot, if asked, talk to an agent?
I want to talk to a human. How long is the wait?
How do I contact support?
How do I reach customer service by phone?
Where can customers talk to a person?
Can an agent transfer a ticket to another agent?
Can I connect an agent to my account?
I want a human-readable export
I want an agent to call my webhook automatically
I need a representative sample of my data
Connect me with support for SSO, how does it work?
Can the bot talk to an agent in Zendesk?
How do I transfer a chat to an operator?
What is the human approval step?
Is there a person field in the CRM?
Can I speak to my device in German?
How long does it take until someone from support answers?
Human resources policy
Agent settings
live agent pricing
Who is my account manager?
Can I talk to the API with curl?
Hi, how do I reset my password?
Hello, where is my order?
Thanks! And how do I cancel?
Thank you page: how do I change it?
Good morning, what are your opening hours?
How do I set up the greeting message?
hello world example
How do I say goodbye message off?
Thanks, but how much does it cost?
ok and what about refunds?
Bye-bye button does not appear
help center url
help desk integration
Where is the help menu?
problem with the printer
error E-4012
Error 404
the login doesn't work
it doesn't work after the update
Why is my invoice wrong?
What is this fee for?
How does it work?
What is SSO?
refund
pricing
Stripe
billing
login
fuck, my order is late
How do I report a stupid comment?
This shit does not sync since yesterday
why is the damn app so slow?
Is the profanity filter able to block idiot?
Dick's Sporting Goods gift card
garbage collection days
trash folder
Wie füge ich einen Mitarbeiter hinzu?
Wie kann ich mit einem Mitarbeiter sprechen?
Welche Rechte hat ein Mitarbeiter?
Danke, und wie kündige ich?
Hilfe zur Rechnung
Was ist ein menschlicher Prüfer?
Fehler 500 beim Anmelden
Comment ajouter un agent ?
Bonjour, comment résilier mon abonnement ?
Que fait un conseiller ?
Merci, et pour la facture ?
¿Cómo agrego un agente?
Hola, ¿cómo cancelo mi pedido?
Come aggiungo un operatore?
Como adiciono um atendente?
Hoe voeg ik een medewerker toe?
如何添加客服？
人工智能是什么？
怎么联系人工客服？
谢谢，如何退款？
担当者を追加する方法は？
エラー4012とは何ですか？
こんにちは、返品したいです
""".strip().splitlines()


@pytest.mark.parametrize(
    ("told", "message"),
    [(line.split("|")[0], one.strip()) for line in ASKS_NOTHING for one in line.split("|")[1:]],
)
def test_a_message_that_asks_nothing_is_told_with_its_language(told: str, message: str) -> None:
    kind, language = told.split()
    assert route(message) == Route(kind, language.strip("-"))


def test_there_are_enough_look_alikes() -> None:
    assert len(set(LOOK_ALIKES)) >= 60


@pytest.mark.parametrize("question", LOOK_ALIKES)
def test_a_question_with_such_words_goes_its_way(question: str) -> None:
    assert route(question) is None


def test_no_question_of_citizens_or_of_the_articles_is_taken_for_small_talk() -> None:
    lines = DATASET.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    asked = [row["question"] for row in rows if row["answerable"]]
    assert len(asked) == 306
    wrong = [text for text in asked + [q for q, _ in QUESTIONS] if route(text)]
    assert wrong == []


@pytest.mark.parametrize("language", TEXTS)
def test_who_wants_a_person_is_told_the_contact_and_nothing_that_is_not_so(language: str) -> None:
    texts, human = TEXTS[language], Route("human", language)
    assert "help@shop.example" in reply(human, texts, "help@shop.example")[1]
    assert (
        "<https://shop.example/contact>" in reply(human, texts, "https://shop.example/contact")[1]
    )
    outcome, text, _ = reply(human, texts, "")
    assert outcome is Outcome.HANDED_OFF
    assert "{" not in text


def test_a_long_message_is_no_small_talk() -> None:
    assert route("thanks " * 100) is None


def test_what_is_meant_is_asked_with_the_topics_that_were_found() -> None:
    found = Evidence("help", "r1", tuple(Hit(chunk, 1.0) for chunk in CHUNKS), 0.7)
    text = asked_back(found, TEXTS["en"])
    assert text.startswith(TEXTS["en"].which)
    assert f"- {CHUNKS[0].title}" in text
    assert asked_back(replace(found, top_similarity=0.1), TEXTS["de"]) == TEXTS["de"].vague


def test_folding_keeps_scripts_whole() -> None:
    assert folded("Grüß Gott!") == "gruss gott"
    assert folded("ありがとう。") == "ありがとう"
    assert folded("hellooooo") == "hello"
