# ruff: noqa: E501 -- one noun is one row, however long
"""Nouns in three languages.

Columns: English singular (the concept) and plural, German article with singular and plural,
Korean, Korean counter, kinds, and for places the prepositions for being there and for going there,
in English and in German. A dash is an empty cell; a substance has no plural and no counter. The
German nouns of the weak declension show their ending after a hyphen: der Student-en.
"""

NOUNS = """
woman      | women       | die Frau            | Frauen         | 여자     | 명   | person adult
man        | men         | der Mann            | Männer         | 남자     | 명   | person adult
girl       | girls       | das Mädchen         | Mädchen        | 소녀     | 명   | person young
boy        | boys        | der Junge-n         | Jungen         | 소년     | 명   | person young
child      | children    | das Kind            | Kinder         | 아이     | 명   | person young
teacher    | teachers    | der Lehrer          | Lehrer         | 선생님   | 명   | person adult kin
student    | students    | der Student-en      | Studenten      | 학생     | 명   | person adult
doctor     | doctors     | der Arzt            | Ärzte          | 의사     | 명   | person adult
friend     | friends     | der Freund          | Freunde        | 친구     | 명   | person adult kin
neighbor   | neighbors   | der Nachbar-n       | Nachbarn       | 이웃     | 명   | person adult kin
farmer     | farmers     | der Bauer-n         | Bauern         | 농부     | 명   | person adult
nurse      | nurses      | die Krankenschwester| Krankenschwestern | 간호사 | 명  | person adult
painter    | painters    | der Maler           | Maler          | 화가     | 명   | person adult
singer     | singers     | die Sängerin        | Sängerinnen    | 가수     | 명   | person adult
sister     | sisters     | die Schwester       | Schwestern     | 여동생   | 명   | person adult kin
brother    | brothers    | der Bruder          | Brüder         | 남동생   | 명   | person adult kin
son        | sons        | der Sohn            | Söhne          | 아들     | 명   | person young kin
daughter   | daughters   | die Tochter         | Töchter        | 딸       | 명   | person young kin
guest      | guests      | der Gast            | Gäste          | 손님     | 명   | person adult
tourist    | tourists    | der Tourist-en      | Touristen      | 관광객   | 명   | person adult
policeman  | policemen   | der Polizist-en     | Polizisten     | 경찰관   | 명   | person adult

dog        | dogs        | der Hund            | Hunde          | 개       | 마리 | animal
cat        | cats        | die Katze           | Katzen         | 고양이   | 마리 | animal
bird       | birds       | der Vogel           | Vögel          | 새       | 마리 | animal
horse      | horses      | das Pferd           | Pferde         | 말       | 마리 | animal
rabbit     | rabbits     | das Kaninchen       | Kaninchen      | 토끼     | 마리 | animal
cow        | cows        | die Kuh             | Kühe           | 소       | 마리 | animal
mouse      | mice        | die Maus            | Mäuse          | 쥐       | 마리 | animal
goose      | geese       | die Gans            | Gänse          | 거위     | 마리 | animal

apple      | apples      | der Apfel           | Äpfel          | 사과     | 개   | food fruit goods
cake       | cakes       | der Kuchen          | Kuchen         | 케이크   | 개   | food goods
egg        | eggs        | das Ei              | Eier           | 계란     | 개   | food goods
tomato     | tomatoes    | die Tomate          | Tomaten        | 토마토   | 개   | food fruit goods
potato     | potatoes    | die Kartoffel       | Kartoffeln     | 감자     | 개   | food fruit goods
bread      | -           | das Brot            | -              | 빵       | -    | food goods
cheese     | -           | der Käse            | -              | 치즈     | -    | food goods
meat       | -           | das Fleisch         | -              | 고기     | -    | food goods
soup       | -           | die Suppe           | -              | 수프     | -    | food
water      | -           | das Wasser          | -              | 물       | -    | drink
milk       | -           | die Milch           | -              | 우유     | -    | drink goods
coffee     | -           | der Kaffee          | -              | 커피     | -    | drink goods
tea        | -           | der Tee             | -              | 차       | -    | drink goods
juice      | -           | der Saft            | -              | 주스     | -    | drink goods

book       | books       | das Buch            | Bücher         | 책       | 권   | text pleasing gift flat goods
letter     | letters     | der Brief           | Briefe         | 편지     | 통   | text written gift flat
newspaper  | newspapers  | die Zeitung         | Zeitungen      | 신문     | 부   | text flat goods
story      | stories     | die Geschichte      | Geschichten    | 이야기   | 개   | text written pleasing heard
poem       | poems       | das Gedicht         | Gedichte       | 시       | 편   | text written pleasing heard
song       | songs       | das Lied            | Lieder         | 노래     | 곡   | pleasing heard
film       | films       | der Film            | Filme          | 영화     | 편   | pleasing
picture    | pictures    | das Bild            | Bilder         | 그림     | 장   | pleasing gift painted

lamp       | lamps       | die Lampe           | Lampen         | 램프     | 개   | device upright goods
radio      | radios      | das Radio           | Radios         | 라디오   | 대   | device upright goods
computer   | computers   | der Computer        | Computer       | 컴퓨터   | 대   | device goods
door       | doors       | die Tür             | Türen          | 문       | 개   | opening
window     | windows     | das Fenster         | Fenster        | 창문     | 개   | opening
box        | boxes       | die Kiste           | Kisten         | 상자     | 개   | opening upright load
suitcase   | suitcases   | der Koffer          | Koffer         | 여행 가방 | 개  | opening upright load
bag        | bags        | die Tasche          | Taschen        | 가방     | 개   | load gift upright goods
cup        | cups        | die Tasse           | Tassen         | 컵       | 개   | upright dish gift
knife      | knives      | das Messer          | Messer         | 칼       | 개   | flat dish
key        | keys        | der Schlüssel       | Schlüssel      | 열쇠     | 개   | flat gift lost
umbrella   | umbrellas   | der Regenschirm     | Regenschirme   | 우산     | 개   | flat gift lost goods
ball       | balls       | der Ball            | Bälle          | 공       | 개   | gift lost
flower     | flowers     | die Blume           | Blumen         | 꽃       | 송이 | gift painted goods
gift       | gifts       | das Geschenk        | Geschenke      | 선물     | 개   | flat goods
bicycle    | bicycles    | das Fahrrad         | Fahrräder      | 자전거   | 대   | vehicle goods
car        | cars        | das Auto            | Autos          | 자동차   | 대   | vehicle goods
coat       | coats       | der Mantel          | Mäntel         | 코트     | 벌   | clothing goods
shirt      | shirts      | das Hemd            | Hemden         | 셔츠     | 벌   | clothing goods
dress      | dresses     | das Kleid           | Kleider        | 드레스   | 벌   | clothing goods
jacket     | jackets     | die Jacke           | Jacken         | 재킷     | 벌   | clothing goods

table      | tables      | der Tisch           | Tische         | 탁자     | 개   | surface
chair      | chairs      | der Stuhl           | Stühle         | 의자     | 개   | surface
bed        | beds        | das Bett            | Betten         | 침대     | 개   | surface
sofa       | sofas       | das Sofa            | Sofas          | 소파     | 개   | surface
tree       | trees       | der Baum            | Bäume          | 나무     | 그루 | painted
bus        | buses       | der Bus             | Busse          | 버스     | 대   | carrier
train      | trains      | der Zug             | Züge           | 기차     | 대   | carrier
party      | parties     | das Fest            | Feste          | 파티     | 개   | event
trip       | trips       | die Reise           | Reisen         | 여행     | 개   | event

house      | houses      | das Haus            | Häuser         | 집       | 채   | place home     | in into in in
kitchen    | kitchens    | die Küche           | Küchen         | 부엌     | 개   | place home     | in into in in
garden     | gardens     | der Garten          | Gärten         | 정원     | 개   | place outside home | in into in in
park       | parks       | der Park            | Parks          | 공원     | 개   | place outside  | in to in in
forest     | forests     | der Wald            | Wälder         | 숲       | 개   | place outside  | in into in in
beach      | beaches     | der Strand          | Strände        | 해변     | 개   | place outside  | at to an an
lake       | lakes       | der See             | Seen           | 호수     | 개   | place outside  | at to an an
school     | schools     | die Schule          | Schulen        | 학교     | 개   | place job      | at to in in
library    | libraries   | die Bibliothek      | Bibliotheken   | 도서관   | 개   | place job      | in to in in
office     | offices     | das Büro            | Büros          | 사무실   | 개   | place job      | in to in in
hospital   | hospitals   | das Krankenhaus     | Krankenhäuser  | 병원     | 개   | place job      | in to in in
restaurant | restaurants | das Restaurant      | Restaurants    | 식당     | 개   | place job dining | in to in in
museum     | museums     | das Museum          | Museen         | 박물관   | 개   | place job      | in to in in
market     | markets     | der Markt           | Märkte         | 시장     | 개   | place          | at to auf auf
station    | stations    | der Bahnhof         | Bahnhöfe       | 역       | 개   | place          | at to an zu
city       | cities      | die Stadt           | Städte         | 도시     | 개   | place home     | in into in in
"""
